package applier

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
)

// maxCredentials caps a credentials file of Google: a key with 4096 bits takes 3.5 KiB, and
// external_account with a command and certificates less than four times that.
const maxCredentials = 64 << 10

// google finds what the provider would authenticate with, in its order
// (https://registry.terraform.io/providers/hashicorp/google/latest/docs/guides/provider_reference),
// but not what stands in the configuration, which the plan pins.
func (f *finding) google() {
	impersonated := f.env("GOOGLE_IMPERSONATE_SERVICE_ACCOUNT")
	if impersonated != "" {
		f.fact(FactGoogleImpersonation, impersonated)
		f.called(impersonated)
		f.is(impersonated)
	}
	account := f.env("CLOUDSDK_CORE_ACCOUNT")
	f.fact(FactGoogleAccount, account)
	f.called(account)
	if f.env("GOOGLE_OAUTH_ACCESS_TOKEN") != "" {
		// It beats the rest. The next job has another token for the same account.
		f.fact(FactGoogleToken, "given")
		return
	}
	text := f.first("GOOGLE_CREDENTIALS", "GOOGLE_CLOUD_KEYFILE_JSON", "GCLOUD_KEYFILE_JSON")
	from := "the text of GOOGLE_CREDENTIALS"
	if !strings.HasPrefix(text, "{") {
		// A path. The file that gcloud auth application-default login leaves is the last.
		path := text
		if path == "" {
			path = f.env("GOOGLE_APPLICATION_CREDENTIALS")
		}
		given := path != ""
		if !given {
			path = f.wellKnown()
		}
		if path == "" {
			return
		}
		data, err := f.ReadFile(path, maxCredentials)
		if err != nil {
			if given { // else most have none
				f.problem("google credentials: " + err.Error())
			}
			return
		}
		text, from = string(data), path
	}
	if len(text) > maxCredentials {
		f.problem("google credentials: " + from + " is too long")
		return
	}
	c, ok := readCredentials([]byte(text))
	if !ok {
		f.problem("google credentials: " + from + " is not of a form that is known")
		f.fact(FactGoogleCredentials, digest(text))
		return
	}
	f.fact(FactGoogleCredentials, c.String())
	f.called(c.email)
	if c.email != "" && c.kind != userCredentials {
		f.is(c.email)
	}
}

// wellKnown is where Google's libraries look last
// (https://cloud.google.com/docs/authentication/application-default-credentials).
func (f *finding) wellKnown() string {
	const name = "application_default_credentials.json"
	if folder := f.env("CLOUDSDK_CONFIG"); folder != "" {
		return filepath.Join(folder, name)
	}
	if folder := f.env("APPDATA"); folder != "" {
		return filepath.Join(folder, "gcloud", name)
	}
	if home := f.env("HOME"); home != "" {
		return filepath.Join(home, ".config", "gcloud", name)
	}
	return ""
}

// Types of credentials that are more than their name here.
const (
	userCredentials     = "authorized_user"
	externalCredentials = "external_account"
)

// credentials is what a credentials file says of whom it is for, and nothing that opens
// anything.
type credentials struct {
	kind string
	// email is of the account that calls are made as, if the file says so.
	email string
	// audience is of a workload identity pool's provider.
	audience string
	// client is the OAuth client of a person's credentials.
	client string
}

// String is the fact.
func (c credentials) String() string {
	parts := []string{c.kind}
	for _, part := range []string{c.email, c.audience} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 1 && c.client != "" {
		parts = append(parts, c.client)
	}
	return strings.Join(parts, " ")
}

// impersonationURL is that of generateAccessToken
// (https://google.aip.dev/auth/4117).
var impersonationURL = regexp.MustCompile(`^https://[^/?#]+/v1/projects/[^/?#]+/serviceAccounts/([^/?#:]+):generateAccessToken$`)

// kindForm is that of the type of credentials.
var kindForm = regexp.MustCompile(`^[a-z_]{1,64}$`)

// readCredentials reads a credentials file of Google. What is not of a form that is known
// is not ok; no error says more, since it could quote a key.
func readCredentials(data []byte) (c credentials, ok bool) {
	var file struct {
		Type          string `json:"type"`
		ClientEmail   string `json:"client_email"`
		ClientID      string `json:"client_id"`
		Account       string `json:"account"`
		Audience      string `json:"audience"`
		Impersonation string `json:"service_account_impersonation_url"`
	}
	if err := json.Unmarshal(data, &file); err != nil || !kindForm.MatchString(file.Type) {
		return credentials{}, false
	}
	c = credentials{kind: file.Type, email: file.ClientEmail, audience: file.Audience, client: file.ClientID}
	if c.email == "" {
		c.email = file.Account
	}
	if file.Impersonation != "" {
		found := impersonationURL.FindStringSubmatch(file.Impersonation)
		if found == nil {
			return credentials{}, false
		}
		c.email = found[1]
	}
	if c.email == "" && c.audience == "" && c.client == "" {
		return credentials{}, false
	}
	return c, true
}
