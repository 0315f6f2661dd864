// Package greet is vendored.
package greet

// Hello is what it says.
const Hello = "hello,"
