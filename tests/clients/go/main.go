// A program on github.com/hashicorp/vault/api against the server of VAULT_ADDR with VAULT_TOKEN (and VAULT_CACERT).
// It says "ok NAME" or "FAIL NAME REASON" for each check, and ends with status 1 if one failed.
package main

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	vault "github.com/hashicorp/vault/api"
)

var client *vault.Client

func die(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

func must(err error) {
	if err != nil {
		die("%v", err)
	}
}

func expect(ok bool, format string, args ...any) {
	if !ok {
		die(format, args...)
	}
}

// status is the HTTP status of an error; 0: none.
func status(err error) int {
	var answer *vault.ResponseError
	if errors.As(err, &answer) {
		return answer.StatusCode
	}
	return 0
}

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

type fields = map[string]interface{}

// write is Logical().Write, which must succeed and give data.
func write(path string, data fields) fields {
	secret, err := client.Logical().Write(path, data)
	must(err)
	expect(secret != nil && secret.Data != nil, "%s: no data", path)
	return secret.Data
}

// put is Logical().Write without interest in the answer, which may be empty.
func put(path string, data fields) {
	_, err := client.Logical().Write(path, data)
	must(err)
}

func read(path string) fields {
	secret, err := client.Logical().Read(path)
	must(err)
	expect(secret != nil && secret.Data != nil, "%s: no data", path)
	return secret.Data
}

func text(data fields, name string) string {
	value, ok := data[name].(string)
	expect(ok, "%s is not a string in %v", name, data)
	return value
}

func number(data fields, name string) int64 {
	value, ok := data[name].(json.Number)
	expect(ok, "%s is not a number in %v", name, data)
	n, err := value.Int64()
	must(err)
	return n
}

var plain = b64("4111111111111111")

func system() {
	sys := client.Sys()
	health, err := sys.Health()
	must(err)
	expect(health.Initialized && !health.Sealed && !health.Standby, "health %+v", health)
	sealed, err := sys.SealStatus()
	must(err)
	expect(!sealed.Sealed, "sealed")
	initialised, err := sys.InitStatus()
	must(err)
	expect(initialised, "not initialised")
	leader, err := sys.Leader()
	must(err)
	expect(!leader.HAEnabled, "leader %+v", leader)
	before, err := sys.KeyStatus()
	must(err)
	must(sys.Rotate())
	after, err := sys.KeyStatus()
	must(err)
	expect(after.Term == before.Term+1, "term %d after %d", after.Term, before.Term)
}

func mounts() {
	sys := client.Sys()
	must(sys.Mount("go1", &vault.MountInput{Type: "transit", Description: "one", Config: vault.MountConfigInput{DefaultLeaseTTL: "1h"}}))
	list, err := sys.ListMounts()
	must(err)
	expect(list["go1/"] != nil && list["go1/"].Description == "one", "mounts %v", list)
	must(sys.TuneMount("go1", vault.MountConfigInput{MaxLeaseTTL: "2h"}))
	config, err := sys.MountConfig("go1")
	must(err)
	expect(config.DefaultLeaseTTL == 3600 && config.MaxLeaseTTL == 7200, "config %+v", config)
	put("go1/keys/k", nil)
	made := text(write("go1/encrypt/k", fields{"plaintext": plain}), "ciphertext")
	must(sys.Remount("go1", "go2"))
	expect(text(write("go2/decrypt/k", fields{"ciphertext": made}), "plaintext") == plain, "after the move")
	expect(status(sys.Mount("go2", &vault.MountInput{Type: "transit"})) == 400, "mounted twice")
	must(sys.Unmount("go2"))
	_, err = client.Logical().Write("go2/decrypt/k", fields{"ciphertext": made})
	expect(status(err) == 404, "unmounted: %v", err)
}

func keys() {
	for _, kind := range []string{"aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305", "ed25519", "ecdsa-p256",
		"ecdsa-p384", "ecdsa-p521", "rsa-2048", "hmac"} {
		name := "transit/keys/go-" + kind
		options := fields{"type": kind, "exportable": true}
		if kind == "hmac" {
			options["key_size"] = 32
		}
		put(name, options)
		put(name+"/rotate", nil)
		data := read(name)
		expect(text(data, "type") == kind && number(data, "latest_version") == 2, "%s: %v", kind, data)
		versions, ok := data["keys"].(fields)
		expect(kind == "hmac" || ok && len(versions) == 2, "%s: %v", kind, data["keys"])
		put(name+"/config", fields{"min_decryption_version": 2, "min_encryption_version": 2, "deletion_allowed": true})
		put(name+"/trim", fields{"min_available_version": 2})
		expect(number(read(name), "min_available_version") == 2, "not trimmed")
	}
	list, err := client.Logical().List("transit/keys")
	must(err)
	names, ok := list.Data["keys"].([]interface{})
	expect(ok && len(names) >= 10, "list %v", list.Data)
	_, err = client.Logical().Delete("transit/keys/go-hmac")
	must(err)
	gone, err := client.Logical().Read("transit/keys/go-hmac")
	expect(gone == nil && err == nil, "a missing key is nil, nil: %v %v", gone, err)
	none, err := client.Logical().List("transit/keys/nosuch")
	expect(none == nil && err == nil, "a missing list is nil, nil: %v %v", none, err)
	_, err = client.Logical().Write("transit/keys/go-bad", fields{"type": "nosuch"})
	expect(status(err) == 400, "type nosuch: %v", err)
}

func encryption() {
	put("transit/keys/goe", nil)
	old := text(write("transit/encrypt/goe", fields{"plaintext": plain}), "ciphertext")
	put("transit/keys/goe/rotate", nil)
	expect(text(write("transit/decrypt/goe", fields{"ciphertext": old}), "plaintext") == plain, "decrypt")
	fresh := text(write("transit/rewrap/goe", fields{"ciphertext": old}), "ciphertext")
	expect(strings.HasPrefix(fresh, "vault:v2:"), "rewrap %s", fresh)
	batch := write("transit/encrypt/goe", fields{"batch_input": []fields{{"plaintext": plain}, {"plaintext": b64("two"), "reference": "r"}}})
	items, ok := batch["batch_results"].([]interface{})
	expect(ok && len(items) == 2, "batch %v", batch)
	second, ok := items[1].(fields)
	expect(ok && text(second, "reference") == "r" && number(second, "key_version") == 2, "batch %v", items)
	_, err := client.Logical().Write("transit/decrypt/goe", fields{"ciphertext": fresh[:len(fresh)-8] + "AAAAAAA="})
	expect(status(err) == 400, "damaged: %v", err)
	_, err = client.Logical().Write("transit/decrypt/goe", fields{"batch_input": []fields{{"ciphertext": "vault:v9:AAAA"}}})
	expect(status(err) == 400, "damaged batch: %v", err)
	put("transit/keys/god", fields{"derived": "true", "convergent_encryption": "true"})
	one := write("transit/encrypt/god", fields{"plaintext": plain, "context": b64("a")})
	two := write("transit/encrypt/god", fields{"plaintext": plain, "context": b64("a")})
	expect(text(one, "ciphertext") == text(two, "ciphertext"), "not convergent")
	put("transit/keys/gorsa", fields{"type": "rsa-2048"})
	made := text(write("transit/encrypt/gorsa", fields{"plaintext": plain}), "ciphertext")
	expect(text(write("transit/decrypt/gorsa", fields{"ciphertext": made}), "plaintext") == plain, "rsa")
	data := write("transit/datakey/plaintext/goe", fields{"bits": 512})
	opened := write("transit/decrypt/goe", fields{"ciphertext": text(data, "ciphertext")})
	expect(text(opened, "plaintext") == text(data, "plaintext"), "data key")
}

func valid(path string, data fields) bool {
	answer, ok := write(path, data)["valid"].(bool)
	expect(ok, "%s: no valid", path)
	return answer
}

// signatures are checked here as well, with Go's own cryptography, where the key is RSA.
func signatures() {
	for _, kind := range []string{"ed25519", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048"} {
		put("transit/keys/gos-"+kind, fields{"type": kind})
		made := text(write("transit/sign/gos-"+kind+"/sha2-256", fields{"input": plain}), "signature")
		expect(valid("transit/verify/gos-"+kind+"/sha2-256", fields{"input": plain, "signature": made}), "%s: refused", kind)
		expect(!valid("transit/verify/gos-"+kind+"/sha2-256", fields{"input": b64("x"), "signature": made}), "%s: taken", kind)
	}
	made := text(write("transit/sign/gos-rsa-2048/sha2-256", fields{"input": plain, "signature_algorithm": "pkcs1v15"}), "signature")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(made, "vault:v1:"))
	must(err)
	digest := sha256.Sum256([]byte("4111111111111111"))
	versions := read("transit/keys/gos-rsa-2048")["keys"].(fields)
	must(rsa.VerifyPKCS1v15(publicKey(text(versions["1"].(fields), "public_key")), crypto.SHA256, digest[:], raw))
	mac := text(write("transit/hmac/goe/sha2-512", fields{"input": plain}), "hmac")
	expect(valid("transit/verify/goe/sha2-512", fields{"input": plain, "hmac": mac}), "hmac refused")
	expect(!valid("transit/verify/goe/sha2-512", fields{"input": b64("x"), "hmac": mac}), "hmac taken")
}

func publicKey(armoured string) *rsa.PublicKey {
	block, _ := pem.Decode([]byte(armoured))
	expect(block != nil, "no PEM: %s", armoured)
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	must(err)
	return key.(*rsa.PublicKey)
}

func tools() {
	random, err := base64.StdEncoding.DecodeString(text(write("transit/random/24", nil), "random_bytes"))
	must(err)
	expect(len(random) == 24, "%d random bytes", len(random))
	digest := sha256.Sum256([]byte("abc"))
	sum := text(write("transit/hash/sha2-256", fields{"input": b64("abc"), "format": "base64"}), "sum")
	expect(sum == base64.StdEncoding.EncodeToString(digest[:]), "hash %s", sum)
}

func backup() {
	put("transit/keys/gob", fields{"exportable": true, "allow_plaintext_backup": true})
	made := text(write("transit/encrypt/gob", fields{"plaintext": plain}), "ciphertext")
	blob := text(read("transit/backup/gob"), "backup")
	put("transit/restore/gob2", fields{"backup": blob})
	expect(text(write("transit/decrypt/gob2", fields{"ciphertext": made}), "plaintext") == plain, "restored")
	exported := read("transit/export/encryption-key/gob/latest")["keys"].(fields)
	expect(len(text(exported, "1")) == 44, "export %v", exported)
}

// wrap is AES key wrap with padding (RFC 5649) of more than 8 bytes.
func wrap(key, secret []byte) []byte {
	block, err := aes.NewCipher(key)
	must(err)
	n := (len(secret) + 7) / 8
	out := make([]byte, 8*(n+1))
	copy(out, []byte{0xa6, 0x59, 0x59, 0xa6})
	binary.BigEndian.PutUint32(out[4:], uint32(len(secret)))
	copy(out[8:], secret)
	var b [16]byte
	for j := 0; j < 6; j++ {
		for i := 1; i <= n; i++ {
			copy(b[:8], out[:8])
			copy(b[8:], out[8*i:8*i+8])
			block.Encrypt(b[:], b[:])
			binary.BigEndian.PutUint64(out[:8], binary.BigEndian.Uint64(b[:8])^uint64(n*j+i))
			copy(out[8*i:], b[8:])
		}
	}
	return out
}

func imports() {
	wrapping := publicKey(text(read("transit/wrapping_key"), "public_key"))
	expect(wrapping.Size() == 512, "wrapping key of %d bytes", wrapping.Size())
	ephemeral, secret := make([]byte, 32), make([]byte, 32)
	_, err := rand.Read(ephemeral)
	must(err)
	_, err = rand.Read(secret)
	must(err)
	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, wrapping, ephemeral, nil)
	must(err)
	blob := base64.StdEncoding.EncodeToString(append(sealed, wrap(ephemeral, secret)...))
	put("transit/keys/goi/import", fields{"ciphertext": blob, "type": "aes256-gcm96", "exportable": true, "hash_function": "SHA256"})
	exported := text(read("transit/export/encryption-key/goi/1")["keys"].(fields), "1")
	back, err := base64.StdEncoding.DecodeString(exported)
	must(err)
	expect(bytes.Equal(back, secret), "the imported key is another")
}

func tokens() {
	auth := client.Auth().Token()
	made, err := auth.Create(&vault.TokenCreateRequest{Policies: []string{"default"}, TTL: "1h", DisplayName: "go"})
	must(err)
	token, err := made.TokenID()
	must(err)
	accessor, err := made.TokenAccessor()
	must(err)
	found, err := auth.LookupAccessor(accessor)
	must(err)
	expect(text(found.Data, "display_name") == "token-go", "lookup %v", found.Data)
	other, err := client.Clone()
	must(err)
	other.SetToken(token)
	self, err := other.Auth().Token().LookupSelf()
	must(err)
	ttl, err := self.TokenTTL()
	must(err)
	expect(ttl > 59*time.Minute && ttl <= time.Hour, "ttl %v", ttl)
	renewed, err := other.Auth().Token().RenewSelf(1800)
	must(err)
	expect(renewed.Auth.LeaseDuration == 1800 && renewed.Auth.Renewable, "renewed %+v", renewed.Auth)
	_, err = other.Logical().List("transit/keys")
	expect(status(err) == 403, "default policy: %v", err)
	watch(other, made)
	must(other.Auth().Token().RevokeSelf(""))
	_, err = other.Auth().Token().LookupSelf()
	expect(status(err) == 403, "revoked: %v", err)
	orphan, err := auth.CreateOrphan(&vault.TokenCreateRequest{Policies: []string{"default"}, Period: "30m"})
	must(err)
	expect(orphan.Auth.Orphan, "no orphan")
	must(auth.RevokeAccessor(orphan.Auth.Accessor))
	_, err = auth.Lookup(orphan.Auth.ClientToken)
	expect(status(err) == 403, "revoked orphan: %v", err)
}

// watch lets the library's own watcher renew the token once.
func watch(other *vault.Client, made *vault.Secret) {
	watcher, err := other.NewLifetimeWatcher(&vault.LifetimeWatcherInput{Secret: made, Increment: 600})
	must(err)
	go watcher.Start()
	defer watcher.Stop()
	select {
	case answer := <-watcher.RenewCh():
		expect(answer.Secret.Auth.LeaseDuration == 600, "watcher renewed %+v", answer.Secret.Auth)
	case err := <-watcher.DoneCh():
		die("watcher: %v", err)
	case <-time.After(20 * time.Second):
		die("watcher: nothing in 20 s")
	}
}

func wrapping() {
	wrapper, err := client.Clone()
	must(err)
	wrapper.SetToken(client.Token())
	wrapper.SetWrappingLookupFunc(func(operation, path string) string { return "5m" })
	answer, err := wrapper.Logical().Write("transit/encrypt/goe", fields{"plaintext": plain})
	must(err)
	expect(answer.WrapInfo != nil && answer.WrapInfo.TTL == 300, "wrap info %+v", answer.WrapInfo)
	inside, err := client.Logical().Unwrap(answer.WrapInfo.Token)
	must(err)
	opened := write("transit/decrypt/goe", fields{"ciphertext": text(inside.Data, "ciphertext")})
	expect(text(opened, "plaintext") == plain, "unwrapped")
	_, err = client.Logical().Unwrap(answer.WrapInfo.Token)
	expect(err != nil, "unwrapped twice")
}

func capabilities() {
	can, err := client.Sys().CapabilitiesSelf("transit/encrypt/goe")
	must(err)
	expect(len(can) == 1 && can[0] == "root", "capabilities %v", can)
}

func main() {
	var err error
	client, err = vault.NewClient(vault.DefaultConfig()) // reads the environment
	must(err)
	must(client.Sys().Mount("transit", &vault.MountInput{Type: "transit"}))
	for _, check := range []struct {
		name string
		run  func()
	}{{"system", system}, {"mounts", mounts}, {"keys", keys}, {"encryption", encryption}, {"signatures", signatures}, {"tools", tools},
		{"backup", backup}, {"imports", imports}, {"tokens", tokens}, {"wrapping", wrapping}, {"capabilities", capabilities}, {"versions", versions}} {
		one(check.name, check.run)
	}
	if failed {
		os.Exit(1)
	}
}

var failed bool

func one(name string, run func()) {
	defer func() {
		if reason := recover(); reason != nil {
			fmt.Println("FAIL", name, reason)
			failed = true
		}
	}()
	run()
	fmt.Println("ok", name)
}
