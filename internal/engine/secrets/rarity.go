package secrets

import (
	"bytes"
	"strconv"
	"strings"
	"sync"
)

// Is a value rare enough to be a credential? Shannon's entropy alone cannot tell
// "authenticationProviderRegistry" from a key, so the value is cut into words as a
// programmer would, and each is measured against the letters of real words.

// classes counts the kinds of bytes in a value.
type classes struct{ upper, lower, digit, other int }

func count(b []byte) (c classes) {
	for _, x := range b {
		switch {
		case 'A' <= x && x <= 'Z':
			c.upper++
		case 'a' <= x && x <= 'z':
			c.lower++
		case '0' <= x && x <= '9':
			c.digit++
		default:
			c.other++
		}
	}
	return c
}

// kinds is how many of the four classes occur.
func (c classes) kinds() int {
	n := 0
	for _, k := range [...]int{c.upper, c.lower, c.digit, c.other} {
		if k > 0 {
			n++
		}
	}
	return n
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

func isBase64(c byte) bool {
	return isLetter(c) || isDigit(c) || c == '+' || c == '/' || c == '='
}

func digits(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return len(b) > 0
}

func isHex(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return len(b) > 0
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != '\n' && c != '\r' && c != '\t' || c >= 0x7f {
			return false
		}
	}
	return true
}

func distinct(b []byte) int {
	var seen [256]bool
	n := 0
	for _, c := range b {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	return n
}

// repetitive reports whether b is one short piece over and over, or hardly varies.
func repetitive(b []byte) bool {
	if len(b) < 8 {
		return distinct(b) < 3
	}
	if d := distinct(b); d < 4 || len(b) >= 24 && d < 6 {
		return true
	}
	for period := 1; period <= len(b)/2 && period <= 32; period++ {
		if bytes.Equal(b[period:], b[:len(b)-period]) {
			return true
		}
	}
	return false
}

// sequential reports whether run bytes follow one another up or down, or repeat.
func sequential(b []byte, run int) bool {
	up, down, same := 1, 1, 1
	for i := 1; i < len(b); i++ {
		p, c := b[i-1], b[i]
		up, down, same = step(up, c == p+1), step(down, c+1 == p), step(same, c == p)
		if up >= run || down >= run || same >= run+1 {
			return true
		}
	}
	return false
}

func step(n int, on bool) int {
	if on {
		return n + 1
	}
	return 1
}

// wordBits is how surprising a word is, in bits per letter with its end, and
// counts letters only. Real words have 3 to 4.6, random letters 4.3 to 7.
func wordBits(word []byte) float64 {
	const edge = 26
	prev, sum := edge, 0
	for _, c := range word {
		next := int(c|0x20) - 'a'
		if next < 0 || next >= edge {
			return 8
		}
		sum += int(bigrams[prev*27+next]) - '#'
		prev = next
	}
	sum += int(bigrams[prev*27+edge]) - '#'
	return float64(sum) / 8 / float64(len(word)+1)
}

// wordLimit is the largest wordBits of a word of n letters; longer random runs
// are farther from words. Measured on the words the table was counted from: 95 %
// of them pass, of random letters 16 % with 4, 6 % with 6, 3 % with 10.
func wordLimit(n int) float64 {
	switch {
	case n <= 3:
		return 4.7
	case n <= 7:
		return 4.6
	default:
		return 4.8
	}
}

// wording cuts b into words at everything that is no letter and where lower case
// turns upper, and returns how many of its letters stand in words of at least
// three letters that look real, and how many letters there are.
func wording(b []byte) (wordy, letters int) {
	for i := 0; i < len(b); {
		if !isLetter(b[i]) {
			i++
			continue
		}
		j := i + 1
		if b[i] < 'a' { // capital: "Word", "WORD" or "WORDNext"
			for j < len(b) && b[j] >= 'A' && b[j] <= 'Z' {
				j++
			}
			if j < len(b) && b[j] >= 'a' && b[j] <= 'z' && j-i > 1 {
				j--
			}
			if j-i == 1 {
				for j < len(b) && b[j] >= 'a' && b[j] <= 'z' {
					j++
				}
			}
		} else {
			for j < len(b) && b[j] >= 'a' && b[j] <= 'z' {
				j++
			}
		}
		letters += j - i
		if n := j - i; n >= 3 && wordBits(b[i:j]) <= wordLimit(n) {
			wordy += n
		}
		i = j
	}
	return wordy, letters
}

// wordlike reports whether b reads as words: an identifier, a sentence, a path.
func wordlike(b []byte) bool {
	if len(b) >= 16 && isHex(b) && count(b).digit > 3 {
		return false
	}
	wordy, letters := wording(b)
	rest := len(b) - letters // digits and punctuation
	return letters > 0 && wordy*100 >= letters*70 && rest*3 <= len(b)+6
}

// placeholderWords stand in values that somebody is meant to replace. Random
// text holds one of them less than once in a hundred thousand keys.
const placeholderWords = "example placeholder changeme change-me change_me changeit replace insert your- your_ yourap yourtoken yoursecret yourkey yourpass " +
	"xxxxx ***** ..... ----- _____ todo fixme dummy redacted sample notreal not-real not_real notasecret not-a- not_a_ fakekey faketoken fakesecret fake- fake_ -fake _fake mock- mock_ -mock _mock " +
	"test- test_ -test _test testing testkey testtoken testsecret testpass testuser secret- secret_ -secret _secret mysecret supersecret topsecret password passwd passw0rd " +
	"qwerty qwer asdf zxcv foobar my-key my_key mykey my-token my_token mytoken dontuse donotuse default undefined keyboard " +
	"-here _here some- some_ any- the-key sha256 sha512"

// typed reports whether a person made the value up: "aabbccddee", or digits that
// count up with letters between them, as in "a1b2c3d4e5f6g7h8i9j0".
func typed(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	pairs, run, last := true, 0, byte(0)
	for i, c := range b {
		if i&1 == 1 && b[i-1] != c {
			pairs = false
		}
		if !isDigit(c) {
			continue
		}
		switch {
		case run > 0 && (c == last+1 || c == '0' && last == '9'):
			run++
		default:
			run = 1
		}
		if last = c; run >= 9 {
			return true
		}
	}
	return pairs
}

// isPlaceholder reports whether the value is meant to be replaced: it holds such a
// word, a run of the keyboard or the alphabet, or hardly varies.
func isPlaceholder(b []byte) bool {
	if repetitive(b) || sequential(b, 6) || typed(b) {
		return true
	}
	if placeholderSet().in(b) {
		return true
	}
	// In a long hexadecimal value these can be chance.
	return (len(b) <= 24 || !isHex(b)) && hexPlaceholderSet().in(b)
}

var (
	placeholderSet    = sync.OnceValue(func() *wordSet { return newWordSet(strings.Fields(placeholderWords)) })
	hexPlaceholderSet = sync.OnceValue(func() *wordSet {
		return newWordSet([]string{"deadbeef", "cafebabe", "abcdef", "123456", "654321"})
	})
)

// template reports whether b holds the syntax of some substitution.
func template(b []byte) bool {
	for _, t := range []string{"${", "$(", "{{", "}}", "<%", "%>", "#{", "%(", "@@", "%s", "%d", "%v", "{0}", "<your", "</", "...", "***"} {
		if bytes.Contains(b, []byte(t)) {
			return true
		}
	}
	for _, p := range []string{"arn:", "urn:", "ref:", "vault:", "op://", "ssm:", "ENC[", "projects/", "~/"} {
		if bytes.HasPrefix(b, []byte(p)) { // a name of something kept elsewhere
			return true
		}
	}
	// An example template of ours: {alnum:20}.
	if i := bytes.IndexByte(b, '{'); i >= 0 {
		if name, rest, ok := bytes.Cut(b[i+1:], []byte{':'}); ok && len(rest) > 0 && isDigit(rest[0]) && classBytes(string(name)) != "" {
			return true
		}
	}
	n := len(b)
	return n > 1 && (b[0] == '$' && isLetter(b[1]) && shellName(b[1:]) || b[0] == '<' && b[n-1] == '>' || b[0] == '{' && b[n-1] == '}' ||
		b[0] == '[' && b[n-1] == ']' || b[0] == '%' && b[n-1] == '%' || b[0] == '(' && b[n-1] == ')' ||
		n > 4 && bytes.HasPrefix(b, []byte("__")) && bytes.HasSuffix(b, []byte("__")))
}

func shellName(b []byte) bool {
	for _, c := range b {
		if c != '_' && !isDigit(c) && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// verifyRandom refuses what reads as words and what is meant to be replaced. It is
// for values whose name or shape already says what they are.
func verifyRandom(secret []byte) CheckResult {
	if template(secret) || isPlaceholder(secret) || wordlike(secret) {
		return Wrong
	}
	return Unknown
}

// verifyMixed is stricter, for prefixes that occur by chance: at least two kinds
// of letters and digits, and hardly a word.
func verifyMixed(secret []byte) CheckResult {
	if verifyRandom(secret) == Wrong {
		return Wrong
	}
	c := count(secret)
	wordy, letters := wording(secret)
	if c.upper > 0 && c.lower > 0 && c.digit > 0 {
		if wordy*10 > letters*6 {
			return Wrong
		}
		return Unknown
	}
	if c.digit+c.upper == 0 || c.kinds() < 2 || len(secret) < 12 || wordy*10 > letters*4 {
		return Wrong
	}
	return Unknown
}

// verifyTail is verifyMixed for tokens whose prefix is made of words: sk_test_.
func verifyTail(secret []byte) CheckResult {
	for range 3 {
		i := bytes.IndexAny(secret, "_-")
		if i < 1 || i > 8 || !bytes.Equal(secret[:i], bytes.ToLower(secret[:i])) || count(secret[:i]).digit > 0 {
			break
		}
		secret = secret[i+1:]
	}
	return verifyMixed(secret)
}

// verifyPhrase is for framework keys, which may hold any sign: only words and
// placeholders are refused.
func verifyPhrase(secret []byte) CheckResult {
	secret = bytes.TrimPrefix(secret, []byte("django-insecure-"))
	if isPlaceholder(secret) || wordlike(secret) || secret[0] == '<' || secret[0] == '{' {
		return Wrong
	}
	return Unknown
}

// verifyGeneric is for values of which only a common name is known: "api_key".
func verifyGeneric(secret []byte) CheckResult {
	if verifyRandom(secret) == Wrong || codelike(secret) || hidesWord(secret) {
		return Wrong
	}
	c := count(secret)
	if c.digit == 0 && (c.lower == 0 || c.upper == 0 || len(secret) < 20) {
		return Wrong // one case and no digit: a name
	}
	if c.upper+c.lower == 0 {
		return Wrong // a number
	}
	if wordy, letters := wording(secret); wordy*10 > letters*5 && !isHex(secret) {
		return Wrong
	}
	return Unknown
}

// codelike reports whether b is an expression, a path, an address or a version
// rather than a value.
func codelike(b []byte) bool {
	if bytes.Contains(b, []byte("://")) || bytes.Contains(b, []byte("::")) || bytes.Contains(b, []byte("->")) || bytes.HasPrefix(b, []byte("./")) ||
		bytes.HasPrefix(b, []byte("../")) || bytes.HasPrefix(b, []byte("/")) && bytes.Count(b, []byte{'/'}) > 1 || bytes.Contains(b, []byte("==")) && !bytes.HasSuffix(b, []byte("==")) {
		return true
	}
	// a.b.c with parts that are names, and paths of names.
	for _, sep := range []byte{'.', '/', '-', '_', ':', '|'} {
		parts := bytes.Split(b, []byte{sep})
		if len(parts) < 2 {
			continue
		}
		words := 0
		for _, p := range parts {
			if len(p) == 0 || wordlike(p) || len(p) <= 3 && count(p).kinds() == 1 {
				words++
			}
		}
		if words*10 >= len(parts)*7 && (sep == '.' || sep == '/' || sep == '|' || len(parts) > 2) {
			return true
		}
	}
	return false
}

// weakPasswords are what stands in examples and in development set-ups; compared
// after digits that stand for letters were turned back and trailing digits and
// signs cut off.
const weakPasswords = " admin administrator root super superuser user username guest test tests tester testing demo sample example foo bar baz foobar " +
	"password passwd passwort pass pwd pw secret secrets supersecret topsecret mysecret mypassword mypass dbpassword dbpass userpass userpassword rootpassword rootpass adminpassword adminpass testpassword testpass testuser " +
	"changeme changeit change letmein welcome hello helloworld default none null nil undefined true false required optional string text hidden empty " +
	"postgres postgresql mysql mariadb mongo mongodb redis rabbitmq guestguest minio minioadmin elastic elasticsearch opensearch kibana grafana jenkins sonar keycloak " +
	"docker vagrant travis ubuntu centos debian raspberry alpine kafka zookeeper cassandra neo neo4j oracle sa system manager tiger scott sqlserver " +
	"qwerty qwertyuiop asdf asdfgh asdfghjkl zxcvbn abc abcd abcde abcdef monkey dragon iloveyou hunter trustno login master superman correcthorse correcthorsebatterystaple correcthorsebatterystable " +
	"development dev prod production staging local localhost app web api service server client database db data backend frontend django laravel symfony wordpress drupal joomla " +
	"your mine some my the this that placeholder dummy fake mock redacted masked value token key apikey x xx xxx xxxx xxxxx y z a b c p s t u "

// unleet turns the digits and signs that stand for letters back.
var unleet = [256]byte{'0': 'o', '1': 'i', '3': 'e', '4': 'a', '5': 's', '7': 't', '8': 'b', '@': 'a', '$': 's', '!': 'i'}

// weakPassword reports whether the value is a password of examples.
func weakPassword(b []byte) bool {
	low := bytes.ToLower(b)
	base := bytes.Trim(low, "0123456789!?.,;:#*_-+=@$%&^~()[]{} ")
	if len(base) == 0 {
		return len(b) < 12 || sequential(low, 4)
	}
	if weakWord(base) {
		return true
	}
	plain := make([]byte, 0, len(low))
	for _, c := range low {
		if u := unleet[c]; u != 0 {
			c = u
		}
		if isLetter(c) {
			plain = append(plain, c)
		}
	}
	if weakWord(plain) {
		return true
	}
	plainBase := make([]byte, 0, len(base))
	for _, c := range base {
		if u := unleet[c]; u != 0 {
			c = u
		}
		if isLetter(c) {
			plainBase = append(plainBase, c)
		}
	}
	if weakWord(plainBase) || len(plain) > 5 && weakWord(plain[:len(plain)-1]) {
		return true
	}
	// "my-secret-pw", "test_password_1": nothing but such words.
	words, weak := 0, 0
	for _, w := range bytes.FieldsFunc(base, func(r rune) bool { return r < 'a' || r > 'z' }) {
		words++
		if weakWord(w) {
			weak++
		}
	}
	return words > 0 && weak == words
}

func weakWord(w []byte) bool { return weakSet()[string(w)] }

var weakSet = sync.OnceValue(func() map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(weakPasswords) {
		set[w] = true
	}
	return set
})

// verifyPassword is for places that hold a password for certain, such as the user
// part of an address: only templates, placeholders and the passwords of examples
// are refused.
func verifyPassword(secret []byte) CheckResult {
	secret = unescape(secret)
	if hidesWord(secret) || hashed(secret) {
		return Wrong
	}
	if template(secret) || isPlaceholder(secret) || weakPassword(secret) {
		return Wrong
	}
	if bytes.ContainsAny(secret, "()") && bytes.ContainsAny(secret, ".,") || bytes.Contains(secret, []byte("://")) || bytes.HasPrefix(secret, []byte("/")) && wordlike(secret) {
		return Wrong
	}
	if c := count(secret); c.digit == 0 && (c.other == 0 || wordlike(secret)) {
		// Letters alone: a name, unless they are no words.
		wordy, letters := wording(secret)
		if wordy*10 >= letters*5 || letters < 10 {
			return Wrong
		}
	}
	if codelike(secret) && count(secret).digit*5 < len(secret) {
		return Wrong
	}
	return Unknown
}

// unescape takes percent-encoding off, as in addresses.
func unescape(b []byte) []byte {
	if bytes.IndexByte(b, '%') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) {
			if v, err := strconv.ParseUint(string(b[i+1:i+3]), 16, 8); err == nil {
				out = append(out, byte(v))
				i += 2
				continue
			}
		}
		out = append(out, b[i])
	}
	return out
}

// hashed reports whether b is the hash of a password, as crypt(3) writes it.
func hashed(b []byte) bool {
	if len(b) < 20 || b[0] != '$' {
		return false
	}
	i := bytes.IndexByte(b[1:], '$')
	return i > 0 && i < 12 && count(b[1:1+i]).other <= 1
}

// hidesWord reports whether b is base64 of a placeholder, as in examples of
// Kubernetes Secrets.
func hidesWord(b []byte) bool {
	if len(b) < 8 || len(b)%4 != 0 || len(b) > 64 {
		return false
	}
	text, ok := decodeBase64(b)
	if !ok || !printable(text) {
		return false
	}
	text = bytes.TrimSpace(text)
	return weakPassword(text) || isPlaceholder(text) || wordlike(text) && !bytes.ContainsAny(text, "@.")
}

// separators counts the signs that stand between the words of a name.
func separators(b []byte) int {
	return bytes.Count(b, []byte{'_'}) + bytes.Count(b, []byte{'-'}) + bytes.Count(b, []byte{'.'})
}

// humps counts where lower case turns upper.
func humps(b []byte) int {
	n := 0
	for i := 1; i < len(b); i++ {
		if b[i-1] >= 'a' && b[i-1] <= 'z' && b[i] >= 'A' && b[i] <= 'Z' {
			n++
		}
	}
	return n
}

// verifyConfig is for the values of variables that are named as secrets, in files
// of configuration: passwords and tokens of any kind.
func verifyConfig(secret []byte) CheckResult {
	if verifyPassword(secret) == Wrong || codelike(secret) {
		return Wrong
	}
	c := count(secret)
	wordy, letters := wording(secret)
	if c.upper+c.lower < 2 || c.kinds() < 2 && len(secret) < 16 || c.digit+c.upper == 0 && c.other == separators(secret) && c.other > 0 || wordy*10 >= letters*7 && c.digit <= 3 && len(secret) >= 14 {
		return Wrong
	}
	return Unknown
}

// verifyStrongPassword is for names such as "password" anywhere in code, where most
// values are labels, messages and identifiers.
func verifyStrongPassword(secret []byte) CheckResult {
	if verifyPassword(secret) == Wrong || bytes.ContainsAny(secret, " \t") || codelike(secret) {
		return Wrong
	}
	for _, c := range secret {
		if c >= 0x80 {
			return Wrong // a word of another language
		}
	}
	c := count(secret)
	if c.kinds() < 2 || c.upper+c.lower < 2 {
		return Wrong
	}
	wordy, letters := wording(secret)
	switch {
	case c.digit <= 1 && c.upper == 0 && (wordlike(secret) || c.digit == 0 && c.other == separators(secret)):
		return Wrong
	case c.digit == 0 && wordlike(secret):
		return Wrong
	case c.digit+c.other == 0 && (humps(secret) < 2 || wordy*10 > letters*3):
		return Wrong
	case len(secret) >= 16 && c.digit <= 3 && wordy*10 >= letters*7:
		return Wrong // an identifier with a number in it
	}
	return Unknown
}
