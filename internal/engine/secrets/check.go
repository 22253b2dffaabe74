package secrets

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash/crc32"
	"math/big"
	"slices"
	"strconv"
)

// CheckResult is what a check says of a candidate.
type CheckResult int

const (
	// Unknown: nothing speaks against the candidate.
	Unknown CheckResult = iota
	// Right: the checksum or structure is that of a real credential.
	Right
	// Wrong: the candidate cannot be one, or is a placeholder.
	Wrong
)

// Check is the part of a credential's format that no regular expression can
// express: a checksum, an encoding, or that a value is rare enough. Both methods
// are pure, linear in their input and take any bytes.
type Check interface {
	// Verify looks at a candidate, as the rule's expression found it.
	Verify(secret []byte) CheckResult
	// Make returns the bytes that complete a credential which starts with
	// prefix; nil where the format needs none.
	Make(prefix []byte) []byte
}

// check is a Check made of two functions.
type check struct {
	verify func(secret []byte) CheckResult
	make   func(prefix []byte) []byte
}

// Verify refuses credentials that documentation prints before it asks the format.
func (c *check) Verify(secret []byte) CheckResult {
	if len(secret) == 0 || documented(secret) {
		return Wrong
	}
	return c.verify(secret)
}

func (c *check) Make(prefix []byte) []byte {
	if c.make == nil {
		return nil
	}
	return c.make(prefix)
}

// checkByName returns the check that a rule names.
func checkByName(name string) (Check, bool) {
	switch name {
	// Checksums.
	case "github-crc32", "npm-crc32":
		return &check{verifyBase62CRC, makeBase62CRC}, true
	case "gitlab-crc32":
		return &check{verifyGitLab, makeGitLab}, true
	case "grafana-crc32":
		return &check{verifyGrafana, makeGrafana}, true
	case "bech32":
		return &check{verifyBech32, makeBech32}, true
	case "base58check":
		return &check{verify: verifyBase58Check}, true
	case "pgp":
		return &check{verify: verifyPGP}, true
	// Structures.
	case "base58-64":
		return &check{verify: verifySolana}, true
	case "base64-32":
		return &check{verify: verifyBase64(32)}, true
	case "base64-64":
		return &check{verify: verifyBase64(64)}, true
	case "base64-json":
		return &check{verify: verifyBase64JSON}, true
	case "basic-auth":
		return &check{verify: verifyBasicAuth}, true
	case "jwt":
		return &check{verify: verifyJWT}, true
	case "discord":
		return &check{verify: verifyDiscord}, true
	case "telegram":
		return &check{verify: verifyTelegram}, true
	case "pem":
		return &check{verify: verifyPEM}, true
	case "pem-body":
		return &check{verify: verifyPEMBody}, true
	case "aws-access-key":
		return &check{verify: verifyAWSKeyID}, true
	case "aws-secret-key":
		return &check{verify: verifyAWSSecret}, true
	case "aws-session-token":
		return &check{verify: func(b []byte) CheckResult {
			if bytes.Contains(b, []byte("EXAMPLE")) || template(b) {
				return Wrong
			}
			return Unknown
		}}, true
	case "slack-webhook":
		return &check{verify: verifySlackWebhook}, true
	case "ethereum-key":
		return &check{verify: verifyEthereum}, true
	case "seed-phrase":
		return &check{verify: verifySeedPhrase}, true
	case "k8s-secret":
		return &check{verify: verifyKubernetes}, true
	case "bearer":
		return &check{verify: verifyBearer}, true
	// Rarity.
	case "random":
		return &check{verify: verifyRandom}, true
	case "mixed":
		return &check{verify: verifyMixed}, true
	case "tail":
		return &check{verify: verifyTail}, true
	case "twitter-bearer":
		return &check{verify: func(b []byte) CheckResult { return verifyMixed(bytes.TrimLeft(b, "A")) }}, true
	case "phrase":
		return &check{verify: verifyPhrase}, true
	case "generic":
		return &check{verify: verifyGeneric}, true
	case "config":
		return &check{verify: verifyConfig}, true
	case "password":
		return &check{verify: verifyPassword}, true
	case "strong-password":
		return &check{verify: verifyStrongPassword}, true
	}
	return nil, false
}

// documented reports whether the secret is one that everybody has: printed in a
// vendor's documentation or built into a development tool. Such values are kept
// as the first eight bytes of their SHA-256, so that they stand nowhere here:
// Stripe's and reCAPTCHA's test keys, the key of the Azure storage emulator, the
// AWS example secret, the first accounts of the Hardhat and Ganache test chains,
// RFC 7617's example and the seed phrases of BIP 39's test vectors.
func documented(secret []byte) bool {
	if len(secret) > 256 {
		return false
	}
	sum := sha256.Sum256(secret)
	h := binary.BigEndian.Uint64(sum[:])
	return slices.Contains(documentedHashes[:], h)
}

// Checksums.

// base62 alphabets: GitHub and npm write digits, upper case, lower case; the other
// orders are in use elsewhere and cost nothing to accept.
const (
	base62GMP   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	base62Lower = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	base62Alpha = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// base62CRC writes the CRC-32 of body in six digits of the alphabet.
func base62CRC(body []byte, alphabet string) [6]byte {
	var out [6]byte
	n := crc32.ChecksumIEEE(body)
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = alphabet[n%62]
		n /= 62
	}
	return out
}

// verifyBase62CRC checks prefix_ + body + six digits of the body's CRC-32.
// https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
func verifyBase62CRC(secret []byte) CheckResult {
	body := secret[bytes.IndexByte(secret, '_')+1:]
	if len(body) < 12 {
		return Wrong
	}
	sum, body := body[len(body)-6:], body[:len(body)-6]
	for _, alphabet := range []string{base62GMP, base62Lower, base62Alpha} {
		want := base62CRC(body, alphabet)
		if bytes.Equal(sum, want[:]) {
			return Right
		}
	}
	return Wrong
}

func makeBase62CRC(prefix []byte) []byte {
	sum := base62CRC(prefix[bytes.IndexByte(prefix, '_')+1:], base62GMP)
	return sum[:]
}

// verifyGitLab checks the last seven characters, which are the CRC-32 of
// everything before them in base 36 (GitLab, Authn::TokenField::Generator).
func verifyGitLab(secret []byte) CheckResult {
	if len(secret) < 16 {
		return Wrong
	}
	n := len(secret) - 7
	if !bytes.Equal(secret[n:], makeGitLab(secret[:n])) {
		return Wrong
	}
	return Right
}

func makeGitLab(prefix []byte) []byte {
	out := strconv.AppendUint(nil, uint64(crc32.ChecksumIEEE(prefix)), 36)
	return append(bytes.Repeat([]byte{'0'}, 7-len(out)), out...)
}

// verifyGrafana checks prefix_secret_ + eight hexadecimal digits, the CRC-32 of
// "prefix_secret" in little-endian order (grafana, pkg/components/satokengen).
func verifyGrafana(secret []byte) CheckResult {
	n := bytes.LastIndexByte(secret, '_')
	if n < 0 || !bytes.Equal(secret[n+1:], makeGrafana(secret[:n+1])) {
		return Wrong
	}
	return Right
}

func makeGrafana(prefix []byte) []byte {
	var sum [4]byte
	binary.LittleEndian.PutUint32(sum[:], crc32.ChecksumIEEE(bytes.TrimSuffix(prefix, []byte("_"))))
	return hex.AppendEncode(nil, sum[:])
}

// bech32 is the alphabet of BIP 173.
const bech32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// bech32Values expands human-readable part and data as BIP 173 asks; ok is false
// for characters outside the alphabet or mixed case.
func bech32Values(text []byte) (values []byte, ok bool) {
	low := bytes.ToLower(text)
	if !bytes.Equal(text, low) && !bytes.Equal(text, bytes.ToUpper(text)) {
		return nil, false
	}
	sep := bytes.LastIndexByte(low, '1')
	if sep < 1 || len(low) > 200 {
		return nil, false
	}
	for _, c := range low[:sep] {
		values = append(values, c>>5)
	}
	values = append(values, 0)
	for _, c := range low[:sep] {
		values = append(values, c&31)
	}
	for _, c := range low[sep+1:] {
		v := bytes.IndexByte([]byte(bech32), c)
		if v < 0 {
			return nil, false
		}
		values = append(values, byte(v))
	}
	return values, true
}

func bech32Polymod(values []byte) uint32 {
	chk := uint32(1)
	for _, v := range values {
		top := chk >> 25
		chk = chk&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				chk ^= g
			}
		}
	}
	return chk
}

func verifyBech32(secret []byte) CheckResult {
	values, ok := bech32Values(secret)
	if !ok || bech32Polymod(values) != 1 {
		return Wrong
	}
	return Right
}

func makeBech32(prefix []byte) []byte {
	values, ok := bech32Values(prefix)
	if !ok {
		return nil
	}
	mod := bech32Polymod(append(values, 0, 0, 0, 0, 0, 0)) ^ 1
	out := make([]byte, 6)
	for i := range out {
		out[i] = bech32[mod>>(5*(5-i))&31]
	}
	if bytes.Equal(prefix, bytes.ToUpper(prefix)) {
		out = bytes.ToUpper(out)
	}
	return out
}

// base58 is Bitcoin's alphabet, without 0, O, I and l.
const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// maxBase58 bounds the quadratic decoding.
const maxBase58 = 256

func decodeBase58(text []byte) ([]byte, bool) {
	if len(text) > maxBase58 {
		return nil, false
	}
	n := new(big.Int)
	zeros := 0
	for i, c := range text {
		v := bytes.IndexByte([]byte(base58), c)
		if v < 0 {
			return nil, false
		}
		if v == 0 && zeros == i {
			zeros++
		}
		n.Mul(n, big.NewInt(58)).Add(n, big.NewInt(int64(v)))
	}
	return append(make([]byte, zeros), n.Bytes()...), true
}

func encodeBase58(data []byte) []byte {
	n := new(big.Int).SetBytes(data)
	var out []byte
	mod := new(big.Int)
	for n.Sign() > 0 {
		n.DivMod(n, big.NewInt(58), mod)
		out = append(out, base58[mod.Int64()])
	}
	for _, b := range data {
		if b != 0 {
			break
		}
		out = append(out, base58[0])
	}
	slices.Reverse(out)
	return out
}

// base58Sum is the four bytes that end a Base58Check payload.
func base58Sum(payload []byte) []byte {
	one := sha256.Sum256(payload)
	two := sha256.Sum256(one[:])
	return two[:4]
}

func verifyBase58Check(secret []byte) CheckResult {
	data, ok := decodeBase58(secret)
	if !ok || len(data) < 8 {
		return Wrong
	}
	n := len(data) - 4
	if !bytes.Equal(data[n:], base58Sum(data[:n])) {
		return Wrong
	}
	return Right
}

// verifySolana checks an Ed25519 seed followed by its public key.
func verifySolana(secret []byte) CheckResult {
	data, ok := decodeBase58(secret)
	if !ok || len(data) != ed25519.PrivateKeySize {
		return Wrong
	}
	if bytes.Equal(ed25519.NewKeyFromSeed(data[:ed25519.SeedSize]), data) {
		return Right
	}
	return Unknown
}

// Encodings and structures.

// decodeBase64 accepts both alphabets, with and without padding.
func decodeBase64(text []byte) ([]byte, bool) {
	text = bytes.TrimRight(text, "=")
	enc := base64.RawStdEncoding
	if bytes.ContainsAny(text, "-_") {
		enc = base64.RawURLEncoding
	}
	out := make([]byte, enc.DecodedLen(len(text)))
	n, err := enc.Decode(out, text)
	return out[:n], err == nil
}

func verifyBase64(size int) func([]byte) CheckResult {
	return func(secret []byte) CheckResult {
		data, ok := decodeBase64(secret)
		if !ok || len(data) != size || repetitive(data) || isPlaceholder(secret) {
			return Wrong
		}
		return Unknown
	}
}

// verifyBase64JSON checks base64 of a JSON object, with or without a prefix that
// ends in an underscore.
func verifyBase64JSON(secret []byte) CheckResult {
	if i := bytes.Index(secret, []byte("_eyJ")); i >= 0 {
		secret = secret[i+1:]
	}
	data, ok := decodeBase64(secret)
	if !ok || !json.Valid(data) || data[0] != '{' {
		return Wrong
	}
	return Right
}

// verifyBasicAuth checks base64 of "user:password" with a password that is worth
// reporting.
func verifyBasicAuth(secret []byte) CheckResult {
	data, ok := decodeBase64(secret)
	if !ok {
		return Wrong
	}
	user, password, ok := bytes.Cut(data, []byte{':'})
	if !ok || len(user) == 0 || len(password) < 4 || !printable(data) || bytes.Equal(user, password) {
		return Wrong
	}
	return verifyPassword(password)
}

// verifyJWT checks that header and payload are JSON objects and the header names
// an algorithm (RFC 7515). The token of jwt.io's first page is nobody's.
func verifyJWT(secret []byte) CheckResult {
	parts := bytes.Split(secret, []byte{'.'})
	if len(parts) != 3 {
		return Wrong
	}
	var header struct {
		Alg, Enc string
	}
	head, ok := decodeBase64(parts[0])
	if !ok || json.Unmarshal(head, &header) != nil || header.Alg == "" {
		return Wrong
	}
	body, ok := decodeBase64(parts[1])
	if !ok || !json.Valid(body) || body[0] != '{' || isPlaceholder(parts[2]) {
		return Wrong
	}
	// Supabase's anonymous key is made to stand in pages.
	for _, word := range []string{`"1234567890"`, "John Doe", "example.com", "Jane Doe", "supabase-demo", `"role":"anon"`} {
		if bytes.Contains(body, []byte(word)) {
			return Wrong
		}
	}
	return Right
}

// verifyDiscord checks that the first part is a numeric id in base64.
func verifyDiscord(secret []byte) CheckResult {
	first, rest, _ := bytes.Cut(secret, []byte{'.'})
	if id, ok := decodeBase64(first); ok && len(id) >= 17 && len(id) <= 20 && digits(id) {
		if isPlaceholder(rest) {
			return Wrong
		}
		return Right
	}
	return verifyMixed(secret)
}

// verifyTelegram looks at the part after the bot's id.
func verifyTelegram(secret []byte) CheckResult {
	id, rest, ok := bytes.Cut(secret, []byte{':'})
	if !ok || sequential(id, 6) || isPlaceholder(rest) {
		return Wrong
	}
	return verifyRandom(rest)
}

// pemText reduces the text between PEM markers, as it stands in a file, in JSON or
// in source code, to its base64. enciphered is true with the headers of RFC 1421.
func pemText(body []byte) (text []byte, enciphered, clean bool) {
	clean = true
	for _, esc := range []string{`\\n`, `\\r`, `\n`, `\r`, `\t`} {
		body = bytes.ReplaceAll(body, []byte(esc), []byte{'\n'})
	}
	text = make([]byte, 0, len(body))
	for line := range bytes.SplitSeq(body, []byte{'\n'}) {
		line = bytes.TrimSpace(line)
		if i := bytes.IndexAny(line, "\"'`"); i >= 0 { // a literal of source code
			line = line[i+1:]
			if j := bytes.LastIndexAny(line, "\"'`"); j >= 0 {
				line = line[:j]
			} else {
				line = bytes.TrimLeft(line, " +,;.)\\")
			}
		}
		if name, _, ok := bytes.Cut(line, []byte{':'}); ok {
			enciphered = enciphered || bytes.Equal(name, []byte("DEK-Info"))
			continue
		}
		if len(line) == 5 && line[0] == '=' {
			continue // the checksum of an OpenPGP armor
		}
		for _, c := range line {
			switch {
			case isBase64(c):
				text = append(text, c)
			case c != ' ' && c != '\t':
				clean = false
			}
		}
	}
	return text, enciphered, clean
}

// minKeyBytes is the smallest private key worth the name: an Ed25519 key in PKCS
// #8 has 48 bytes.
const minKeyBytes = 44

// verifyPEM checks the text of a private key, with or without its markers.
func verifyPEM(secret []byte) CheckResult {
	secret = trimMarkers(secret)
	text, enciphered, clean := pemText(secret)
	data, ok := decodeBase64(text)
	if !clean || !ok || len(data) < minKeyBytes || repetitive(data) || bytes.Contains(text, []byte("EXAMPLE")) {
		return Wrong
	}
	if enciphered {
		return Unknown
	}
	if bytes.HasPrefix(data, []byte("openssh-key-v1\x00")) || derWhole(data) {
		return Right
	}
	return verifyBlob(text)
}

// verifyPEMBody checks text between markers whose content has no known form.
func verifyPEMBody(secret []byte) CheckResult {
	text, _, clean := pemText(trimMarkers(secret))
	data, ok := decodeBase64(text)
	if !clean || !ok || len(data) < minKeyBytes {
		return Wrong
	}
	return verifyBlob(text)
}

// verifyBlob refuses base64 that somebody typed.
func verifyBlob(text []byte) CheckResult {
	if repetitive(text) || distinct(text) < 16 {
		return Wrong
	}
	return Unknown
}

// trimMarkers removes the BEGIN and END lines if they are there.
func trimMarkers(b []byte) []byte {
	if bytes.HasPrefix(b, []byte("-----BEGIN ")) {
		if i := bytes.Index(b[11:], []byte("-----")); i >= 0 {
			b = b[11+i+5:]
		}
	}
	if i := bytes.LastIndex(b, []byte("-----END ")); i >= 0 {
		b = b[:i]
	}
	return b
}

// derWhole reports whether data is one DER SEQUENCE that fills it.
func derWhole(data []byte) bool {
	if len(data) < 4 || data[0] != 0x30 {
		return false
	}
	switch n := int(data[1]); {
	case n < 0x80:
		return n+2 == len(data)
	case n == 0x81:
		return int(data[2])+3 == len(data)
	case n == 0x82:
		return int(data[2])<<8+int(data[3])+4 == len(data)
	}
	return false
}

// verifyPGP checks an OpenPGP armor: packets, and the CRC-24 where it is there
// (RFC 4880, section 6.1; optional since RFC 9580).
func verifyPGP(secret []byte) CheckResult {
	secret = trimMarkers(secret)
	text, _, clean := pemText(secret)
	data, ok := decodeBase64(text)
	if !clean || !ok || len(data) < minKeyBytes || data[0]&0x80 == 0 {
		return Wrong
	}
	if bytes.Contains(secret, armorSum(data)) {
		return Right
	}
	return verifyBlob(text)
}

// armorSum is the checksum line of an OpenPGP armor, without its newline.
func armorSum(data []byte) []byte {
	crc := uint32(0xb704ce)
	for _, b := range data {
		crc ^= uint32(b) << 16
		for range 8 {
			crc <<= 1
			if crc&0x1000000 != 0 {
				crc ^= 0x1864cfb
			}
		}
	}
	return base64.StdEncoding.AppendEncode([]byte{'='}, []byte{byte(crc >> 16), byte(crc >> 8), byte(crc)})
}

func verifyAWSKeyID(secret []byte) CheckResult {
	if len(secret) != 20 || bytes.Contains(secret, []byte("EXAMPLE")) || isPlaceholder(secret[4:]) || distinct(secret[4:]) < 6 {
		return Wrong
	}
	return Unknown
}

// verifyAWSSecret wants 40 characters of base64 that are no hash and no path. A
// random one lacks lower case, upper case or digits less than once in 600.
func verifyAWSSecret(secret []byte) CheckResult {
	c := count(secret)
	if c.upper == 0 || c.lower == 0 || c.digit+c.other == 0 || bytes.Contains(secret, []byte("EXAMPLE")) {
		return Wrong
	}
	return verifyRandom(secret)
}

func verifySlackWebhook(secret []byte) CheckResult {
	for part := range bytes.SplitSeq(secret, []byte{'/'}) {
		if len(part) > 7 && (distinct(part[1:]) < 4 || isPlaceholder(part)) {
			return Wrong
		}
	}
	return Unknown
}

// verifyEthereum wants a number that could be a key: not small, not patterned.
func verifyEthereum(secret []byte) CheckResult {
	key := bytes.TrimPrefix(secret, []byte("0x"))
	if documented(bytes.ToLower(key)) || bytes.Contains(key, []byte("0000000000")) || distinct(bytes.ToLower(key)) < 9 || isPlaceholder(key) {
		return Wrong
	}
	return Unknown
}

// verifySeedPhrase refuses sentences: BIP 39's list has none of these words.
func verifySeedPhrase(secret []byte) CheckResult {
	words := bytes.Fields(secret)
	seen := map[string]bool{}
	for _, w := range words {
		switch string(w) {
		case "the", "and", "here", "your", "them", "please", "words", "with", "for", "that", "are", "this", "from",
			"goes", "mnemonic", "seed", "not", "some", "write", "down", "keep", "these", "should", "have":
			return Wrong
		}
		seen[string(w)] = true
	}
	// A phrase of 24 words repeats one in every eight times, hardly ever three.
	if len(words) < 12 || len(seen) < len(words)-3 {
		return Wrong
	}
	return Unknown
}

// verifyKubernetes looks at what a value of a Secret decodes to.
func verifyKubernetes(secret []byte) CheckResult {
	data, ok := decodeBase64(secret)
	if !ok {
		return Wrong
	}
	data = bytes.TrimSpace(data)
	switch {
	case len(data) < 6:
		return Wrong
	case bytes.Contains(data, []byte("PRIVATE KEY-----")):
		return verifyPEM(data)
	case bytes.HasPrefix(data, []byte("-----BEGIN ")): // certificates and public keys
		return Wrong
	case !printable(data):
		return verifyMixed(secret)
	case bytes.ContainsAny(data, "\n {"):
		low := bytes.ToLower(data)
		for _, w := range []string{"password", "passwd", "secret", "token", "api_key", "apikey", `"auth"`} {
			if bytes.Contains(low, []byte(w)) {
				return Unknown
			}
		}
		return Wrong
	}
	if wordlike(bytes.TrimRight(data, "0123456789")) {
		return Wrong
	}
	return verifyPassword(data)
}

// verifyBearer looks at the token of an Authorization header.
func verifyBearer(secret []byte) CheckResult {
	if bytes.HasPrefix(secret, []byte("eyJ")) && bytes.Count(secret, []byte{'.'}) == 2 {
		return verifyJWT(secret)
	}
	return verifyGeneric(secret)
}

// documentedHashes are the first eight bytes of the SHA-256 of well-known values.
var documentedHashes = [...]uint64{
	0x0011cc25eb432071, 0x03b970ed8171d73b, 0x07f935b61d37e0e5, 0x0aedba9d586f34f9,
	0x0b5dd075ccdd03c4, 0x0fff9ee671b05ea2, 0x28e543d3753fc9d1, 0x2cafc0970149a84f,
	0x2d1f7723aabc5c7a, 0x30e55f5463e22af0, 0x35239180b6727afe, 0x3543c50b0cb9cea8,
	0x38e69fdd19aefeb4, 0x3a64bcd9cea43c0a, 0x3eb1bd439947eb76, 0x422b6cfd76dcf88d,
	0x4d3e46eec8244d1d, 0x519e3ece10ca70b6, 0x578592185588730b, 0x64034b44c579b335,
	0x70b801afae94d2e6, 0x731fa294d036e54f, 0x73f71af093fdf154, 0x78314b11be2e5815,
	0x82e74299544e0073, 0x8335c55334821eef, 0x8b6b6a5226c96d1d, 0x967f21586cdf1248,
	0x9c5d0a6656e5d3f3, 0xaa6547439583c3a2, 0xb26ab6529d20ebeb, 0xb83e96417f61cb14,
	0xbc1a50966c9e6486, 0xbc3ae723f57c6b9e, 0xbdfeaef44475711c, 0xc557eec878dfd852,
	0xcf4d418ed3de92d7, 0xe21b597ba6b9cafa, 0xe4da07ad200089ce, 0xe8a0614b6747a06f,
	0xecb0e7ba498c5920, 0xf070994a85994785, 0xf24167accb5d690f, 0xf2d6ca16515033e5,
	0xf5e95c9954635b65, 0xf79cd64f9cea2378, 0xf8a124525a91c091,
}
