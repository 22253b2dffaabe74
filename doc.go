// Package penstock holds the words that every part of Penstock speaks:
// finding, rule, location, coverage, verdict, and the contract of an engine.
//
// It imports the standard library only, does no input or output and starts no
// goroutine, so that any package may depend on it.
package penstock
