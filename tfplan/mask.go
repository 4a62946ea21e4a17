package tfplan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// Limits of what an operation says. Alerts, tables and policies' inputs hold it, so one
// change with a megabyte of labels is not to fill them.
const (
	// maxLabels caps labels and annotations: AWS allows 50, Google 64, Azure 50.
	maxLabels = 256
	// maxLabel caps a key or a value, in bytes: Kubernetes' keys, the longest, have 317.
	maxLabel = 512
	// maxChanges and maxUnknown cap how much is said of one change: people read no more.
	maxChanges, maxUnknown = 16, 16
	// maxText caps one sentence, maxWord one value in it, in bytes.
	maxText, maxWord = 400, 100
	// maxAddress caps an address: modules nest a few deep, and an index may be a path.
	maxAddress = 1024
	// maxName caps names and references, whose longest are self links of 300.
	maxName = 1024
)

// hidden stands for a value that nobody is to read.
const hidden = "(sensitive)"

// secretWords are what the names of fields have in them that hold secrets, whether or not
// a provider marks them.
var secretWords = []string{
	"password", "passwd", "passphrase", "secret", "token", "private_key", "privatekey", "credential",
	"api_key", "apikey", "access_key", "accesskey", "account_key", "client_key", "connection_string",
	"auth_string", "shared_key", "signing_key", "license_key",
}

// secretName reports whether a field is one that holds a secret, by its name.
func secretName(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}

// secretPath reports whether any step of a path has such a name.
func secretPath(at route) bool { return slices.ContainsFunc(at, secretName) }

// shown is a text from outside as people may see it, of at most limit bytes.
func shown(text string, limit int) string {
	return operation.Clip(operation.Printable(operation.Clip(text, limit)), limit)
}

// describe is a value in a sentence.
func describe(value, sensitive any, at route) string {
	if marked(sensitive, at) || secretPath(at) {
		return hidden
	}
	if text, ok := plain(value); ok {
		if text == "" {
			return "nothing"
		}
		return shown(text, maxWord)
	}
	switch v := value.(type) {
	case []any:
		return fmt.Sprintf("%d entries", len(v))
	case map[string]any:
		return fmt.Sprintf("%d entries", len(v))
	}
	return "nothing"
}

// capped cuts a list of sentences, and says so.
func capped(list []string, limit int) []string {
	var kept []string
	for _, text := range list {
		if text = shown(text, maxText); !slices.Contains(kept, text) {
			kept = append(kept, text)
		}
	}
	if len(kept) > limit {
		kept = append(kept[:limit-1:limit-1], fmt.Sprintf("and %d more", len(kept)-limit+1))
	}
	return kept
}
