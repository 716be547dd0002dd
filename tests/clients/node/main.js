// A program on node-vault against the server of VAULT_ADDR with VAULT_TOKEN (and, for HTTPS, NODE_EXTRA_CA_CERTS).
// It says "ok NAME" or "FAIL NAME REASON" for each check, and ends with status 1 if one failed.
'use strict';

const assert = require('assert');
const vault = require('node-vault')();

const b64 = (text) => Buffer.from(text).toString('base64');
const plain = b64('4111111111111111');

async function status(promise) {
    try {
        await promise;
    } catch (error) {
        return error.response ? error.response.statusCode : String(error);
    }
    return 200;
}

const checks = {
    async system() {
        assert.strictEqual((await vault.status()).sealed, false);
        assert.strictEqual((await vault.initialized()).initialized, true);
        assert.strictEqual((await vault.health()).sealed, false);
        assert.strictEqual((await vault.leader()).ha_enabled, false);
        assert.ok(await vault.help('transit'));
    },
    async mounts() {
        await vault.mount({ mount_point: 'node1', type: 'transit', description: 'one' });
        const list = await vault.mounts();
        assert.strictEqual(list['node1/'].description, 'one');
        assert.strictEqual(list.data['node1/'].type, 'transit');
        await vault.write('node1/keys/k', {});
        const made = await vault.write('node1/encrypt/k', { plaintext: plain });
        await vault.remount({ from: 'node1', to: 'node2' });
        assert.strictEqual((await vault.write('node2/decrypt/k', { ciphertext: made.data.ciphertext })).data.plaintext, plain);
        assert.strictEqual(await status(vault.mount({ mount_point: 'node2', type: 'transit' })), 400);
        await vault.unmount({ mount_point: 'node2' });
        assert.strictEqual(await status(vault.read('node2/keys/k')), 404);
    },
    async keys() {
        for (const type of ['aes128-gcm96', 'aes256-gcm96', 'chacha20-poly1305', 'xchacha20-poly1305', 'ed25519', 'ecdsa-p256',
            'ecdsa-p384', 'ecdsa-p521', 'rsa-2048']) {
            const name = `n-${type}`;
            await vault.transitCreateKey({ name, type, exportable: true });
            await vault.write(`transit/keys/${name}/rotate`, {});
            const { data } = await vault.transitReadKey({ name });
            assert.deepStrictEqual([data.type, data.latest_version, Object.keys(data.keys)], [type, 2, ['1', '2']]);
            assert.ok((await vault.transitListKeys()).data.keys.includes(name));
            await vault.write(`transit/keys/${name}/config`, { deletion_allowed: true, min_decryption_version: 2, min_encryption_version: 2 });
            await vault.write(`transit/keys/${name}/trim`, { min_available_version: 2 });
            await vault.transitDeleteKey({ name });
            assert.strictEqual(await status(vault.transitReadKey({ name })), 404);
        }
        assert.strictEqual(await status(vault.transitCreateKey({ name: 'bad', type: 'nosuch' })), 400);
        assert.strictEqual(await status(vault.list('nosuch/keys')), 404);
    },
    async encryption() {
        await vault.transitCreateKey({ name: 'ne' });
        const old = (await vault.encryptData({ name: 'ne', plaintext: plain })).data.ciphertext;
        await vault.write('transit/keys/ne/rotate', {});
        assert.strictEqual((await vault.decryptData({ name: 'ne', ciphertext: old })).data.plaintext, plain);
        const fresh = (await vault.rewrapData({ name: 'ne', ciphertext: old })).data.ciphertext;
        assert.ok(fresh.startsWith('vault:v2:'));
        const batch = await vault.encryptData({ name: 'ne', batch_input: [{ plaintext: plain }, { plaintext: b64('two') }] });
        const back = await vault.decryptData({ name: 'ne', batch_input: batch.data.batch_results.map(({ ciphertext }) => ({ ciphertext })) });
        assert.deepStrictEqual(back.data.batch_results.map((item) => item.plaintext), [plain, b64('two')]);
        assert.strictEqual(await status(vault.decryptData({ name: 'ne', ciphertext: 'vault:v9:AAAA' })), 400);
        await vault.transitCreateKey({ name: 'nd', derived: true, convergent_encryption: true });
        const context = b64('tenant 7');
        const one = (await vault.encryptData({ name: 'nd', plaintext: plain, context })).data.ciphertext;
        assert.strictEqual((await vault.encryptData({ name: 'nd', plaintext: plain, context })).data.ciphertext, one);
        const data = (await vault.write('transit/datakey/plaintext/ne', { bits: 256 })).data;
        assert.strictEqual((await vault.decryptData({ name: 'ne', ciphertext: data.ciphertext })).data.plaintext, data.plaintext);
    },
    async signatures() {
        for (const type of ['ed25519', 'ecdsa-p256', 'rsa-2048']) {
            const name = `ns-${type}`;
            await vault.transitCreateKey({ name, type });
            const { signature } = (await vault.write(`transit/sign/${name}`, { input: plain })).data;
            assert.strictEqual((await vault.write(`transit/verify/${name}`, { input: plain, signature })).data.valid, true);
            assert.strictEqual((await vault.write(`transit/verify/${name}`, { input: b64('x'), signature })).data.valid, false);
        }
        const { hmac } = (await vault.write('transit/hmac/ne', { input: plain })).data;
        assert.strictEqual((await vault.write('transit/verify/ne', { input: plain, hmac })).data.valid, true);
        assert.strictEqual((await vault.write('transit/verify/ne', { input: b64('x'), hmac })).data.valid, false);
    },
    async tools() {
        const random = (await vault.write('transit/random/24', {})).data.random_bytes;
        assert.strictEqual(Buffer.from(random, 'base64').length, 24);
        const sum = (await vault.write('transit/hash/sha2-256', { input: b64('abc') })).data.sum;
        assert.strictEqual(sum, require('crypto').createHash('sha256').update('abc').digest('hex'));
    },
    async backup() {
        await vault.transitCreateKey({ name: 'nb', exportable: true, allow_plaintext_backup: true });
        const made = (await vault.encryptData({ name: 'nb', plaintext: plain })).data.ciphertext;
        const { backup } = (await vault.read('transit/backup/nb')).data;
        await vault.write('transit/restore/nb2', { backup });
        assert.strictEqual((await vault.decryptData({ name: 'nb2', ciphertext: made })).data.plaintext, plain);
        assert.strictEqual(await status(vault.write('transit/restore/nb2', { backup })), 500);
        assert.deepStrictEqual(Object.keys((await vault.read('transit/export/encryption-key/nb/latest')).data.keys), ['1']);
    },
    async wrapping() {
        const wrapped = await vault.write('transit/random/8', {}, { headers: { 'X-Vault-Wrap-TTL': '60' } });
        assert.strictEqual(wrapped.wrap_info.ttl, 60);
        const inside = await vault.unwrap({ token: wrapped.wrap_info.token });
        assert.strictEqual(Buffer.from(inside.data.random_bytes, 'base64').length, 8);
        assert.strictEqual(await status(vault.unwrap({ token: wrapped.wrap_info.token })), 400);
    },
    async tokens() {
        const root = vault.token;
        assert.ok((await vault.tokenAccessors()).data.keys.length > 0);
        const made = (await vault.tokenCreate({ policies: ['default'], ttl: '1h', display_name: 'node' })).auth;
        assert.strictEqual(vault.token, made.client_token); // node-vault goes over to what it creates
        assert.strictEqual((await vault.tokenLookupSelf()).data.display_name, 'token-node');
        assert.strictEqual((await vault.tokenRenewSelf({ increment: 1800 })).auth.lease_duration, 1800);
        assert.strictEqual(await status(vault.transitListKeys()), 403);
        vault.token = root;
        assert.strictEqual((await vault.tokenLookup({ token: made.client_token })).data.accessor, made.accessor);
        assert.strictEqual((await vault.tokenLookupAccessor({ accessor: made.accessor })).data.id, '');
        await vault.tokenRevoke({ token: made.client_token });
        assert.strictEqual(await status(vault.tokenLookup({ token: made.client_token })), 403);
        assert.strictEqual(await status(vault.read('transit/keys/ne', { headers: { 'X-Vault-Token': 'nosuch' } })), 403);
    },
};

async function main() {
    await vault.mount({ mount_point: 'transit', type: 'transit' });
    for (const [name, run] of Object.entries(checks)) {
        try {
            await run();
            console.log(`ok ${name}`);
        } catch (error) {
            console.log(`FAIL ${name} ${error.stack}`);
            process.exitCode = 1;
        }
    }
}

main().catch((error) => {
    console.log(`FAIL ${error.stack}`);
    process.exitCode = 1;
});
