package secrets

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Examples of rules are templates, so that nothing that looks like a credential
// stands in a file of ours. In a template
//
//	{class:n} or {class:m-n}  random characters of a class, see classBytes
//	{check}        what the rule's check makes right for the token so far
//	{^}            where the token begins, if that is not plain to see
//	{uuid} {jwt} {jwt:k8s} {discord} {wif} {xprv}    such a value
//	{mnemonic:n} {base58key:n} {b64key:n}            n words, or n random bytes encoded
//	{pem:kind}     a real key: rsa, ec, dsa, pkcs8, openssh, encrypted, pgp
//	{pem-json:kind}  the same as the inside of a JSON string
//	{b64:T} {b64url:T} {hexenc:T} {url:T}            the expanded T, encoded
//
// stand for text, {{ and }} for braces, and everything else for itself.

// Limits of a template, which may come from a user's rule file.
const (
	maxExample      = 1 << 20 // bytes of an expansion
	maxExampleDepth = 8
)

// Expand makes an example of a template. The same template, seed and check give
// the same text. check names the rule's check and may be empty.
func Expand(template string, seed uint64, check string) (string, error) {
	h := fnv.New64a()
	h.Write([]byte(template))
	e := &expander{rng: rand.New(rand.NewPCG(seed, h.Sum64()))}
	if check != "" {
		c, ok := checkByName(check)
		if !ok {
			return "", fmt.Errorf("unknown check %q", check)
		}
		e.check = c
	}
	out, rest, err := e.expand(nil, template, 0)
	if err != nil {
		return "", fmt.Errorf("template %q: %w", clipTemplate(template), err)
	}
	if rest != "" {
		return "", fmt.Errorf("template %q: } without {", clipTemplate(template))
	}
	return string(out), nil
}

func clipTemplate(t string) string {
	if len(t) > 80 {
		return t[:80] + "..."
	}
	return t
}

type expander struct {
	rng   *rand.Rand
	check Check
	mark  int // start of the token, by {^}
}

// expand appends the expansion of t up to an unmatched } to out and returns what
// is left of t.
func (e *expander) expand(out []byte, t string, depth int) ([]byte, string, error) {
	if depth > maxExampleDepth {
		return nil, "", fmt.Errorf("nested deeper than %d", maxExampleDepth)
	}
	start := len(out)
	for t != "" {
		i := strings.IndexAny(t, "{}")
		if i < 0 {
			out, t = append(out, t...), ""
			break
		}
		out, t = append(out, t[:i]...), t[i:]
		if strings.HasPrefix(t, "{{") || strings.HasPrefix(t, "}}") && depth == 0 {
			out, t = append(out, t[0]), t[2:]
			continue
		}
		if t[0] == '}' {
			if depth > 0 && strings.HasPrefix(t, "}}") && e.braces(out[start:]) > 0 {
				out, t = append(out, '}'), t[2:]
				continue
			}
			break
		}
		var err error
		if out, t, err = e.directive(out, t[1:], depth); err != nil {
			return nil, "", err
		}
		if len(out) > maxExample {
			return nil, "", fmt.Errorf("more than %d bytes", maxExample)
		}
	}
	return out, t, nil
}

// braces is how many braces are open in b: }} inside an argument closes one of
// them before it closes the argument.
func (e *expander) braces(b []byte) int {
	return bytes.Count(b, []byte{'{'}) - bytes.Count(b, []byte{'}'})
}

// directive expands what follows a {.
func (e *expander) directive(out []byte, t string, depth int) ([]byte, string, error) {
	end := strings.IndexAny(t, ":}")
	if end < 0 {
		return nil, "", fmt.Errorf("{ without }")
	}
	name := t[:end]
	if t[end] == '}' {
		out, err := e.value(out, name, "")
		return out, t[end+1:], err
	}
	t = t[end+1:]
	if encode := encoderByName(name); encode != nil {
		mark := e.mark
		inner, rest, err := e.expand(nil, t, depth+1)
		if err != nil {
			return nil, "", err
		}
		if !strings.HasPrefix(rest, "}") {
			return nil, "", fmt.Errorf("{%s: without }", name)
		}
		e.mark = mark
		return append(out, encode(inner)...), rest[1:], nil
	}
	end = strings.IndexByte(t, '}')
	if end < 0 {
		return nil, "", fmt.Errorf("{%s: without }", name)
	}
	out, err := e.value(out, name, t[:end])
	return out, t[end+1:], err
}

func encoderByName(name string) func([]byte) string {
	switch name {
	case "b64":
		return base64.StdEncoding.EncodeToString
	case "b64url":
		return base64.RawURLEncoding.EncodeToString
	case "hexenc":
		return hex.EncodeToString
	case "url":
		return func(b []byte) string {
			var s strings.Builder
			for _, c := range b {
				if isLetter(c) || isDigit(c) {
					s.WriteByte(c)
				} else {
					fmt.Fprintf(&s, "%%%02X", c)
				}
			}
			return s.String()
		}
	}
	return nil
}

// classBytes are the characters of a class; "" for no class.
func classBytes(name string) string {
	const (
		low   = "abcdefghijklmnopqrstuvwxyz"
		up    = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		digit = "0123456789"
	)
	switch name {
	case "alnum":
		return up + low + digit
	case "alpha":
		return up + low
	case "lower":
		return low
	case "upper":
		return up
	case "digit":
		return digit
	case "hex":
		return digit + "abcdef"
	case "HEX":
		return digit + "ABCDEF"
	case "lowernum", "base36":
		return low + digit
	case "uppernum":
		return up + digit
	case "word":
		return up + low + digit + "_"
	case "base64":
		return up + low + digit + "+/"
	case "base64url":
		return up + low + digit + "-_"
	case "base32":
		return up + "234567"
	case "base32low":
		return low + "234567"
	case "base58":
		return base58
	case "bech32":
		return bech32
	case "BECH32":
		return strings.ToUpper(bech32)
	case "django": // django.core.management.utils.get_random_secret_key
		return low + digit + "!@#$%^&*(-_=+)"
	}
	return ""
}

// value appends one directive without an encoded argument.
func (e *expander) value(out []byte, name, arg string) ([]byte, error) {
	if class := classBytes(name); class != "" {
		n, err := e.length(arg)
		if err != nil {
			return nil, fmt.Errorf("{%s:%s}: %w", name, arg, err)
		}
		return e.chars(out, class, n), nil
	}
	switch name {
	case "^":
		e.mark = len(out)
		return out, nil
	case "check":
		if e.check == nil {
			return nil, fmt.Errorf("{check} in a rule without check")
		}
		return append(out, e.check.Make(out[e.tokenStart(out):])...), nil
	case "uuid":
		b := e.bytes(16)
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
		return fmt.Appendf(out, "%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
	case "jwt":
		return e.jwt(out, arg), nil
	case "discord":
		id := strconv.FormatUint(100000000000000000+e.rng.Uint64N(1100000000000000000), 10)
		out = append(out, strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(id)), "=")...)
		out = e.chars(append(out, '.', 'G'), classBytes("base64url"), 5)
		return e.chars(append(out, '.'), classBytes("base64url"), 38), nil
	case "wif":
		return appendBase58Check(out, append(append([]byte{0x80}, e.bytes(32)...), 1)), nil
	case "xprv":
		return appendBase58Check(out, append([]byte{0x04, 0x88, 0xad, 0xe4}, append(e.bytes(41), append([]byte{0}, e.bytes(32)...)...)...)), nil
	case "pem":
		return e.pem(out, arg)
	case "pem-json":
		p, err := e.pem(nil, arg)
		return append(out, strings.ReplaceAll(string(p), "\n", `\n`)...), err
	}
	n, err := e.length(arg)
	if err != nil {
		return nil, fmt.Errorf("{%s:%s}: %w", name, arg, err)
	}
	switch name {
	case "digit1":
		out = append(out, '1'+byte(e.rng.IntN(9)))
		return e.chars(out, classBytes("digit"), n-1), nil
	case "b64key":
		return base64.StdEncoding.AppendEncode(out, e.bytes(n)), nil
	case "base58key":
		return append(out, encodeBase58(e.bytes(min(n, maxBase58/2)))...), nil
	case "mnemonic":
		words := strings.Fields(mnemonicWords)
		for i := range n {
			if i > 0 {
				out = append(out, ' ')
			}
			j := i + e.rng.IntN(len(words)-i%len(words))
			words[i%len(words)], words[j%len(words)] = words[j%len(words)], words[i%len(words)]
			out = append(out, words[i%len(words)]...)
		}
		return out, nil
	}
	return nil, fmt.Errorf("unknown directive {%s}", name)
}

// length reads "n" or "m-n".
func (e *expander) length(arg string) (int, error) {
	from, to, ranged := strings.Cut(arg, "-")
	n, err := strconv.ParseUint(from, 10, 20)
	if err != nil {
		return 0, fmt.Errorf("want a length such as 20 or 16-32")
	}
	if !ranged {
		return int(n), nil
	}
	m, err := strconv.ParseUint(to, 10, 20)
	if err != nil || m < n {
		return 0, fmt.Errorf("want a length such as 20 or 16-32")
	}
	return int(n) + e.rng.IntN(int(m-n)+1), nil
}

func (e *expander) chars(out []byte, class string, n int) []byte {
	for range min(n, maxExample) {
		out = append(out, class[e.rng.IntN(len(class))])
	}
	return out
}

func (e *expander) bytes(n int) []byte {
	b := make([]byte, min(n, maxExample))
	for i := range b {
		b[i] = byte(e.rng.Uint32())
	}
	return b
}

// tokenStart is where the token that {check} completes begins: at {^}, or after
// the last byte that no token has.
func (e *expander) tokenStart(out []byte) int {
	if e.mark > 0 {
		return e.mark
	}
	i := len(out)
	for i > 0 && (isLetter(out[i-1]) || isDigit(out[i-1]) || bytes.IndexByte([]byte("_-."), out[i-1]) >= 0) {
		i--
	}
	return i
}

// jwt appends a JSON Web Token; "k8s" makes one of a Kubernetes service account.
func (e *expander) jwt(out []byte, kind string) []byte {
	enc := base64.RawURLEncoding
	head, sig := `{"alg":"HS256","typ":"JWT"}`, 32
	body := fmt.Sprintf(`{"sub":"%x","iat":%d,"scope":"%s"}`, e.bytes(12), 1700000000+e.rng.IntN(90000000), e.chars(nil, classBytes("lower"), 8))
	if kind == "k8s" {
		head, sig = fmt.Sprintf(`{"alg":"RS256","kid":"%s"}`, e.chars(nil, classBytes("base64url"), 43)), 256
		body = fmt.Sprintf(`{"iss":"kubernetes/serviceaccount","kubernetes.io/serviceaccount/namespace":"ci","kubernetes.io/serviceaccount/secret.name":"deploy-%s","sub":"system:serviceaccount:ci:deploy"}`, e.chars(nil, classBytes("lowernum"), 5))
	}
	out = enc.AppendEncode(out, []byte(head))
	out = enc.AppendEncode(append(out, '.'), []byte(body))
	return enc.AppendEncode(append(out, '.'), e.bytes(sig))
}

func appendBase58Check(out, payload []byte) []byte {
	return append(out, encodeBase58(append(payload, base58Sum(payload)...))...)
}

// pem appends a private key in armor. The keys are well-formed and of no use.
func (e *expander) pem(out []byte, kind string) ([]byte, error) {
	var label string
	var der []byte
	var err error
	switch kind {
	case "rsa":
		label = "RSA PRIVATE KEY"
		der, err = e.rsa()
	case "ec":
		label = "EC PRIVATE KEY"
		der, err = e.ec()
	case "dsa":
		label = "DSA PRIVATE KEY"
		der, err = asn1.Marshal(struct{ Version, P, Q, G, Y, X *big.Int }{big.NewInt(0), e.number(1024), e.number(160), e.number(1023), e.number(1022), e.number(159)})
	case "pkcs8":
		label = "PRIVATE KEY"
		if der, err = e.rsa(); err == nil {
			der, err = asn1.Marshal(pkcs8{0, algorithm{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, asn1.NullRawValue}, der})
		}
	case "encrypted":
		label = "ENCRYPTED PRIVATE KEY"
		der, err = asn1.Marshal(struct {
			Algorithm algorithm
			Data      []byte
		}{algorithm{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}, asn1.NullRawValue}, e.bytes(400)})
	case "openssh":
		label = "OPENSSH PRIVATE KEY"
		der = e.openssh()
	case "pgp":
		data := append([]byte{0x95, 0x01, 0xd8}, e.bytes(460)...) // an old-format secret key packet
		out = armor(out, "PGP PRIVATE KEY BLOCK", data)
		i := bytes.LastIndex(out, []byte("-----END"))
		sum := append(armorSum(data), '\n')
		out = append(out[:i:i], append(sum, out[i:]...)...)
		return bytes.Replace(out, []byte("BLOCK-----\n"), []byte("BLOCK-----\n\n"), 1), nil
	default:
		return nil, fmt.Errorf("{pem:%s}: want rsa, ec, dsa, pkcs8, openssh, encrypted or pgp", kind)
	}
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return armor(out, label, der), nil
}

type algorithm struct {
	ID         asn1.ObjectIdentifier
	Parameters asn1.RawValue
}

type pkcs8 struct {
	Version   int
	Algorithm algorithm
	Key       []byte
}

func armor(out []byte, label string, data []byte) []byte {
	out = fmt.Appendf(out, "-----BEGIN %s-----\n", label)
	text := base64.StdEncoding.EncodeToString(data)
	for len(text) > 64 {
		out = append(append(out, text[:64]...), '\n')
		text = text[64:]
	}
	return fmt.Appendf(append(out, text...), "\n-----END %s-----", label)
}

func (e *expander) number(bits int) *big.Int {
	n := new(big.Int).SetBytes(e.bytes((bits + 7) / 8))
	n.SetBit(n, bits-1, 1)
	return n.And(n, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(bits)), big.NewInt(1)))
}

// prime is a real prime; crypto/rsa would not take our source of randomness.
func (e *expander) prime(bits int) *big.Int {
	p := e.number(bits)
	p.SetBit(p, bits-2, 1).SetBit(p, 0, 1)
	for !p.ProbablyPrime(1) {
		p.Add(p, big.NewInt(2))
	}
	return p
}

// rsa is an RSAPrivateKey of RFC 8017 with 1024 bits.
func (e *expander) rsa() ([]byte, error) {
	one, exp := big.NewInt(1), big.NewInt(65537)
	for {
		p, q := e.prime(512), e.prime(512)
		p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
		d := new(big.Int).ModInverse(exp, new(big.Int).Mul(p1, q1))
		inv := new(big.Int).ModInverse(q, p)
		if d == nil || inv == nil {
			continue
		}
		return asn1.Marshal(struct{ Version, N, E, D, P, Q, DP, DQ, QInv *big.Int }{
			big.NewInt(0), new(big.Int).Mul(p, q), exp, d, p, q,
			new(big.Int).Mod(d, p1), new(big.Int).Mod(d, q1), inv})
	}
}

// ec is an ECPrivateKey of RFC 5915 on P-256.
func (e *expander) ec() ([]byte, error) {
	b := e.bytes(32)
	b[0] &= 0x7f // below the order
	b[31] |= 1   // not zero
	key, err := ecdh.P256().NewPrivateKey(b)
	if err != nil {
		return nil, err
	}
	pub := key.PublicKey().Bytes()
	return asn1.Marshal(struct {
		Version int
		Key     []byte
		Curve   asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
		Public  asn1.BitString        `asn1:"explicit,tag:1"`
	}{1, b, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, asn1.BitString{Bytes: pub, BitLength: 8 * len(pub)}})
}

// openssh is an Ed25519 key without passphrase, after OpenSSH's PROTOCOL.key.
func (e *expander) openssh() []byte {
	key := ed25519.NewKeyFromSeed(e.bytes(ed25519.SeedSize))
	str := func(b []byte, parts ...[]byte) []byte {
		for _, p := range parts {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
		}
		return b
	}
	public := key.Public().(ed25519.PublicKey)
	kind := []byte("ssh-ed25519")
	check := e.bytes(4)
	private := str(append(append([]byte{}, check...), check...), kind, public, key, []byte("ci@example.com"))
	for i := byte(1); len(private)%8 != 0; i++ {
		private = append(private, i)
	}
	out := str([]byte("openssh-key-v1\x00"), []byte("none"), []byte("none"), nil)
	out = binary.BigEndian.AppendUint32(out, 1)
	return str(out, str(nil, kind, public), private)
}

// mnemonicWords are some of BIP 39's English words.
const mnemonicWords = "absorb acquire album anchor apple arctic artist asthma auction axis badge banner barely beauty bicycle bleak blossom boring bracket " +
	"bronze bubble cabin camera cancel carbon cattle cement chalk cherry circle clinic clutch coconut copper cradle cricket crystal curtain daring " +
	"debris decline desert diesel dinner dolphin dragon dwarf eager echo elder embark enact engine erosion exhaust fabric famous federal fiber"
