// Package syntax holds position-keeping readers that engines and the pass share.
//
// Invariant: nothing here knows a rule or a file system; a position always
// refers to the bytes that were handed in.
package syntax
