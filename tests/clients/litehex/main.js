// What @litehex/node-vault, which checks each reply against a schema of Vault's, makes of a server that is new: a line for each call,
// "ok NAME" or "refused NAME: WHY". The server's address is in VAULT_ADDR.
import { Client } from "@litehex/node-vault";

const client = new Client();
const { transit } = client;
const mountPath = "schemas", name = "k", signer = "s";
const b64 = (text) => Buffer.from(text).toString("base64");
const kept = {};

async function call(label, ask) {
	const { data, error } = await ask().catch((error) => ({ error }));
	console.log(error ? `refused ${label}: ${error.message.split("\n")[0]}` : `ok ${label}`);
	return data?.data ?? data ?? {};
}

await call("initialized", () => client.initialized());
const { keys = [], root_token: token } = await call("init", () => client.init({ secret_shares: 1, secret_threshold: 1 }));
await call("sealStatusSealed", () => client.sealStatus());
await call("unseal", () => client.unseal({ key: keys[0] }));
client.token = token;
await call("sealStatus", () => client.sealStatus());
await call("health", () => client.health());
await call("enable", () => transit.enable({ mountPath, type: "transit" }));
await call("mounts", () => client.mounts());
await call("engineInfo", () => client.engineInfo({ mountPath }));
await call("info", () => transit.info({ mountPath }));
await call("tune", () => client.tune({ mountPath }));
await call("tuneMount", () => client.tuneMount({ mountPath, description: "d" }));
await call("createKey", () => transit.createKey({ mountPath, name, exportable: true, allow_plaintext_backup: true }));
await call("createSigner", () => transit.createKey({ mountPath, name: signer, type: "ecdsa-p256" }));
await call("readKey", () => transit.readKey({ mountPath, name }));
await call("updateKey", () => transit.updateKey({ mountPath, name, deletion_allowed: true }));
await call("listKeys", () => transit.listKeys({ mountPath }));
kept.first = (await call("encrypt", () => transit.encrypt({ mountPath, name, plaintext: b64("eins") }))).ciphertext;
await call("decrypt", () => transit.decrypt({ mountPath, name, ciphertext: kept.first }));
await call("rotateKey", () => transit.rotateKey({ mountPath, name }));
await call("rewrap", () => transit.rewrap({ mountPath, name, ciphertext: kept.first }));
await call("generateDataKey", () => transit.generateDataKey({ mountPath, name, type: "plaintext" }));
await call("generateRandom", () => transit.generateRandom({ mountPath, source: "all", bytes: 16, format: "hex" }));
await call("hash", () => transit.hash({ mountPath, algorithm: "sha2-256", input: b64("x") }));
kept.hmac = (await call("hmac", () => transit.hmac({ mountPath, name, input: b64("x") }))).hmac;
await call("verifyHmac", () => transit.verifyHmac({ mountPath, name, algorithm: "sha2-256", input: b64("x"), hmac: kept.hmac }));
kept.signature = (await call("sign", () => transit.sign({ mountPath, name: signer, input: b64("x") }))).signature;
await call("verify", () => transit.verify({ mountPath, name: signer, algorithm: "sha2-256", input: b64("x"), signature: kept.signature }));
await call("exportKey", () => transit.exportKey({ mountPath, name, type: "encryption-key" }));
kept.backup = (await call("backupKey", () => transit.backupKey({ mountPath, name }))).backup;
await call("deleteKey", () => transit.deleteKey({ mountPath, name }));
await call("restoreKey", () => transit.restoreKey({ mountPath, name, backup: kept.backup }));
await client.transit.updateKey({ mountPath, name, min_decryption_version: 2, min_encryption_version: 2 });
await call("trimKey", () => transit.trimKey({ mountPath, name, min_available_version: 2 }));
await call("read", () => client.read({ path: `${mountPath}/keys/${name}` }));
await call("write", () => client.write({ path: `${mountPath}/keys/other`, data: {} }));
await call("list", () => client.list({ path: `${mountPath}/keys` }));
await call("queryCapabilities", () => client.queryCapabilities({ token, paths: ["sys/mounts"] }));
await call("listDevices", () => client.listDevices());
await call("getRootGenerationProgress", () => client.getRootGenerationProgress());
await call("startRootGeneration", () => client.startRootGeneration({ otp: "" }));
await call("cancelRootGeneration", () => client.cancelRootGeneration());
await call("unmount", () => client.unmount({ mountPath }));
await call("seal", () => client.seal());
