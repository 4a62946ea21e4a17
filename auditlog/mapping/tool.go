package mapping

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mollyguard/mollyguard/operation"
)

// product finds a product in user agents (RFC 9110 section 10.1.5). Each of its
// matches begins with one of words: user agents are long, and all patterns over all of
// them were a third of the time to read an entry.
type product struct {
	words   []string
	pattern *regexp.Regexp
}

// find returns the first match, or "".
func (p product) find(userAgent string) string {
	first := -1
	for _, word := range p.words {
		if i := strings.Index(userAgent, word); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	if first < 0 {
		return ""
	}
	// What comes before decides whether it is the beginning of a word.
	return p.pattern.FindString(userAgent[max(0, first-1):])
}

// tools are tools by a product of theirs, the most telling first: Terraform's user
// agent ends in that of the client library below it.
var tools = []product{
	{[]string{"Terraform/"}, regexp.MustCompile(`\bTerraform/[\w.+-]+`)},
	{[]string{"OpenTofu/"}, regexp.MustCompile(`\bOpenTofu/[\w.+-]+`)},
	{[]string{"Pulumi", "pulumi"}, regexp.MustCompile(`\b[Pp]ulumi[\w-]*/[\w.+-]+`)},
	{[]string{"config-connector/", "configconnector/", "KCC/"}, regexp.MustCompile(`\b(?:config-?connector|KCC)/[\w.+-]+`)},
	{[]string{"kubectl/"}, regexp.MustCompile(`\bkubectl/[\w.+-]+`)},
	{[]string{"helm/", "Helm/"}, regexp.MustCompile(`\b[Hh]elm/[\w.+-]+`)},
	{[]string{"gsutil/"}, regexp.MustCompile(`\bgsutil/[\w.+-]+`)},
	{[]string{"gcloud/"}, regexp.MustCompile(`\bgcloud/[\w.+-]+`)},
}

// libraries are the products of Google's client libraries.
var libraries = product{
	[]string{"google-api-", "Google-", "google-cloud-", "gcloud-", "gl-", "gax/", "grpc-"},
	regexp.MustCompile(`\b(?:google-api-go-client/[\w.+-]+|google-api-python-client/[\w.+-]+|gcloud-[a-z]+/[\w.+-]+|gl-[a-z]+/[\w.+-]+|gax/[\w.+-]+|google-api-java-client/[\w.+-]+|Google-API-Java-Client/[\w.+-]+|google-cloud-[a-z-]+/[\w.+-]+|Google-HTTP-Java-Client/[\w.+-]+|grpc-[a-z+-]+/[\w.+-]+)`),
}

// consoles are what requests that the cloud console makes for somebody carry;
// consoleWords are in each of their matches, in lower case.
var (
	consoles     = regexp.MustCompile(`(?i)\bstubby_client\b|cloud-console|CloudConsole|pantheon`)
	consoleWords = []string{"stubby_client", "cloud-console", "cloudconsole", "pantheon"}
)

func isConsole(userAgent string) bool {
	// Outside ASCII there are letters that the pattern takes for s and k.
	if ascii(userAgent) {
		lower := strings.ToLower(userAgent)
		if !slices.ContainsFunc(consoleWords, func(word string) bool { return strings.Contains(lower, word) }) {
			return false
		}
	}
	return consoles.MatchString(userAgent)
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// tool says in words what a user agent stands for.
func tool(userAgent string) string {
	userAgent = operation.Clip(userAgent, maxUserAgent)
	for _, t := range tools {
		if found := t.find(userAgent); found != "" {
			return found
		}
	}
	switch {
	case userAgent == "":
		return ""
	case isConsole(userAgent):
		return "console"
	case strings.HasPrefix(userAgent, "Mozilla/"):
		return "console (browser)"
	}
	if found := libraries.find(userAgent); found != "" {
		return "client library (" + found + ")"
	}
	product, _, _ := strings.Cut(userAgent, " ")
	return operation.Clip(product, 64)
}
