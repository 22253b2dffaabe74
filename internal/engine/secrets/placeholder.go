package secrets

// placeholder reports whether a value stands for a secret and is none.
func placeholder(secret []byte) bool { return false }
