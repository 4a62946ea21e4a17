package kube

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
)

// The labels by which records are found. An object without its label is not.
const (
	// LabelSubject, on requests and grants, is the SubjectLabel of spec.subject.
	LabelSubject = v1alpha1.Group + "/subject"
	// LabelRequest, on verdicts and uses, is the handle that they belong to.
	LabelRequest = v1alpha1.Group + "/request"
)

// subjectDigits is how much of a digest is in a label, which holds 63 characters:
// 128 bits, so that nobody finds two names with one label.
const subjectDigits = 32

// SubjectLabel returns the value of LabelSubject for a user's name, which may
// have any length and hold anything: the beginning of its SHA-256, in hex.
func SubjectLabel(name string) string { return digest(name, subjectDigits) }

// verdictDigits keeps names of verdicts short enough to read. That they are
// different is not relied upon: see CreateVerdict.
const verdictDigits = 10

// VerdictName returns the name of a verdict's object: the request, the verdict
// and the beginning of the SHA-256 of the name of who gives it. So one person
// says a thing once.
func VerdictName(v breakglass.Verdict) string {
	return fmt.Sprintf("%s-%s-%s", v.Request, v.Kind, digest(v.By.Name, verdictDigits))
}

func useName(grant string, slot int) string { return fmt.Sprintf("%s-%d", grant, slot) }

func digest(text string, digits int) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:digits]
}

// handleOf returns the handle that a record's name begins with, or "".
func handleOf(name string) string {
	const length = len("bg-xxxx-xxxx")
	if len(name) < length || !breakglass.IsHandle(name[:length]) {
		return ""
	}
	return name[:length]
}
