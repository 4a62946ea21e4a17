package applier

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mollyguard/mollyguard/operation"
)

// machine is an environment with files, and alice at the keyboard.
type machine struct{ env, files map[string]string }

func (m machine) options() Options {
	return Options{
		Getenv: func(name string) string { return m.env[name] },
		ReadFile: func(name string, limit int) ([]byte, error) {
			text, ok := m.files[name]
			switch {
			case !ok:
				return nil, fmt.Errorf("open %s: no such file", name)
			case len(text) > limit:
				return nil, fmt.Errorf("%s has more than %d bytes", name, limit)
			}
			return []byte(text), nil
		},
		User: func() (string, error) { return "alice@laptop", nil },
	}
}

const (
	keyFile = `{"type":"service_account","project_id":"prod","private_key_id":"0123","private_key":"-----BEGIN PRIVATE KEY-----\nVERYSECRET\n-----END PRIVATE KEY-----\n",` +
		`"client_email":"tf@prod.iam.gserviceaccount.com","client_id":"1234"}`
	federated = `{"type":"external_account","audience":"//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/gh",` +
		`"credential_source":{"url":"https://example.com","headers":{"Authorization":"VERYSECRET"}},` +
		`"service_account_impersonation_url":"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/tf@prod.iam.gserviceaccount.com:generateAccessToken"}`
	person     = `{"type":"authorized_user","client_id":"c.apps.googleusercontent.com","client_secret":"VERYSECRET","refresh_token":"VERYSECRET","account":"alice@example.com"}`
	nobody     = `{"type":"authorized_user","client_id":"c.apps.googleusercontent.com","client_secret":"VERYSECRET","refresh_token":"VERYSECRET","account":""}`
	kubeconfig = "current-context: prod\ncontexts:\n- {name: prod, context: {cluster: eu, user: admin}}\n- {name: test, context: {cluster: t}}\n" +
		"clusters:\n- {name: t, cluster: {server: 'https://test.example.com'}}\n- {name: eu, cluster: {server: 'https://u:VERYSECRET@prod.example.com/'}}\nusers:\n- {name: admin, user: {token: VERYSECRET}}\n"
)

// detection is a machine and who would apply there.
type detection struct {
	name  string
	m     machine
	want  Applier
	names []string
}

func (tt detection) check(t *testing.T) {
	got := Detect(tt.m.options())
	if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Applier{})); diff != "" {
		t.Errorf("applier (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(tt.names, got.Names(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if strings.Contains(fmt.Sprintf("%#v", got), "VERYSECRET") {
		t.Error("a secret is shown")
	}
}

func TestTheIdentityIsFoundInTheEnvironment(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tt := range []detection{
		{"nothing", machine{}, Applier{Name: "alice@laptop", Kind: operation.Human}, nil},
		{
			"impersonation", machine{env: map[string]string{"GOOGLE_IMPERSONATE_SERVICE_ACCOUNT": "admin@prod.iam.gserviceaccount.com", "CLOUDSDK_CORE_ACCOUNT": "alice@example.com"}},
			Applier{Name: "admin@prod.iam.gserviceaccount.com", Kind: operation.Service, Facts: map[string]string{
				"google impersonation": "admin@prod.iam.gserviceaccount.com", "google account": "alice@example.com",
			}}, []string{"admin@prod.iam.gserviceaccount.com", "alice@example.com"},
		},
		{
			"a key file", machine{env: map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": "/run/key.json"}, files: map[string]string{"/run/key.json": keyFile}},
			Applier{Name: "tf@prod.iam.gserviceaccount.com", Kind: operation.Service, Facts: map[string]string{"google credentials": "service_account tf@prod.iam.gserviceaccount.com"}},
			[]string{"tf@prod.iam.gserviceaccount.com"},
		},
		{
			"a key in a variable beats the file", machine{env: map[string]string{"GOOGLE_CREDENTIALS": keyFile, "GOOGLE_APPLICATION_CREDENTIALS": "/run/key.json"}},
			Applier{Name: "tf@prod.iam.gserviceaccount.com", Kind: operation.Service, Facts: map[string]string{"google credentials": "service_account tf@prod.iam.gserviceaccount.com"}},
			[]string{"tf@prod.iam.gserviceaccount.com"},
		},
		{
			"workload identity federation", machine{env: map[string]string{"GOOGLE_CREDENTIALS": "/run/cred.json"}, files: map[string]string{"/run/cred.json": federated}},
			Applier{Name: "tf@prod.iam.gserviceaccount.com", Kind: operation.Service, Facts: map[string]string{
				"google credentials": "external_account tf@prod.iam.gserviceaccount.com //iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/gh",
			}}, []string{"tf@prod.iam.gserviceaccount.com"},
		},
		{
			"a person's own credentials", machine{env: map[string]string{"HOME": "/home/alice"}, files: map[string]string{filepath.Join("/home/alice", ".config", "gcloud", "application_default_credentials.json"): person}},
			Applier{Name: "alice@laptop", Kind: operation.Human, Facts: map[string]string{"google credentials": "authorized_user alice@example.com"}}, []string{"alice@example.com"},
		},
		{
			"a person's credentials that name nobody", machine{env: map[string]string{"CLOUDSDK_CONFIG": "/gcloud"}, files: map[string]string{filepath.Join("/gcloud", "application_default_credentials.json"): nobody}},
			Applier{Name: "alice@laptop", Kind: operation.Human, Facts: map[string]string{"google credentials": "authorized_user c.apps.googleusercontent.com"}}, nil,
		},
		{
			"an access token", machine{env: map[string]string{"GOOGLE_OAUTH_ACCESS_TOKEN": "VERYSECRET", "GOOGLE_CREDENTIALS": keyFile}},
			Applier{Name: "alice@laptop", Kind: operation.Human, Facts: map[string]string{"google access token": "given"}}, nil,
		},
		{
			"credentials that cannot be read", machine{env: map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": "/run/none.json"}},
			Applier{Name: "alice@laptop", Kind: operation.Human, Problems: []string{"google credentials: open /run/none.json: no such file"}}, nil,
		},
		{
			"credentials that are too long", machine{env: map[string]string{"GOOGLE_CREDENTIALS": "{" + strings.Repeat(" ", maxCredentials) + "}"}},
			Applier{Name: "alice@laptop", Kind: operation.Human, Problems: []string{"google credentials: the text of GOOGLE_CREDENTIALS is too long"}}, nil,
		},
		{
			"credentials of no known form", machine{env: map[string]string{"GOOGLE_CREDENTIALS": `{"type":"VERYSECRET"}`}},
			Applier{
				Name: "alice@laptop", Kind: operation.Human, Facts: map[string]string{"google credentials": digest(`{"type":"VERYSECRET"}`)},
				Problems: []string{"google credentials: the text of GOOGLE_CREDENTIALS is not of a form that is known"},
			}, nil,
		},
		{
			"a role", machine{env: map[string]string{"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/tf", "AWS_PROFILE": "prod", "AWS_SECRET_ACCESS_KEY": "VERYSECRET"}},
			Applier{Name: "arn:aws:iam::123456789012:role/tf", Kind: operation.Service, Facts: map[string]string{"aws role": "arn:aws:iam::123456789012:role/tf", "aws profile": "prod"}},
			[]string{"arn:aws:iam::123456789012:role/tf", "tf"},
		},
		{
			"an access key", machine{env: map[string]string{"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}},
			Applier{Name: "alice@laptop", Kind: operation.Human, Facts: map[string]string{"aws access key": "…MPLE sha256:1a5d44a2dca1"}}, nil,
		},
		{ // The pair of key and account is public: https://awsteele.com/blog/2020/09/26/aws-access-key-format.html
			"a temporary access key", machine{env: map[string]string{"AWS_ACCESS_KEY_ID": "ASIAY34FZKBOKMUTVV7A"}},
			Applier{Name: "alice@laptop", Kind: operation.Human, Facts: map[string]string{"aws access key": "temporary, of account 609629065308"}}, nil,
		},
		{
			"a service principal", machine{env: map[string]string{"ARM_CLIENT_ID": "11-22", "ARM_TENANT_ID": "33", "ARM_SUBSCRIPTION_ID": "44", "ARM_CLIENT_SECRET": "VERYSECRET"}},
			Applier{Name: "azure client 11-22", Kind: operation.Service, Facts: map[string]string{"azure client": "11-22", "azure tenant": "33", "azure subscription": "44"}}, []string{"11-22"},
		},
		{
			"a kubeconfig", machine{env: map[string]string{"KUBECONFIG": "/none" + string(os.PathListSeparator) + "/kube"}, files: map[string]string{"/kube": kubeconfig}},
			Applier{
				Name: "alice@laptop", Kind: operation.Human, Facts: map[string]string{"kube context": "prod", "kube server": "https://prod.example.com"},
				Problems: []string{"kube context: open /none: no such file"},
			}, nil,
		},
		{
			"another context of it", machine{env: map[string]string{"KUBE_CONFIG_PATH": "/kube", "KUBE_CTX": "test"}, files: map[string]string{"/kube": kubeconfig}},
			Applier{Name: "alice@laptop", Kind: operation.Human, Facts: map[string]string{"kube context": "test", "kube server": "https://test.example.com"}}, nil,
		},
		{
			"what is no kubeconfig", machine{env: map[string]string{"KUBECONFIG": "/kube"}, files: map[string]string{"/kube": "VERYSECRET: ["}},
			Applier{Name: "alice@laptop", Kind: operation.Human, Problems: []string{"kube context: /kube is not a kubeconfig"}}, nil,
		},
		{
			"texts that are no names", machine{env: map[string]string{"AWS_PROFILE": "a\x1b[2J\xff", "ARM_TENANT_ID": long}},
			Applier{Name: "alice@laptop", Kind: operation.Human, Facts: map[string]string{"aws profile": `a\x1b[2J?`, "azure tenant": strings.Repeat("x", maxFact-len("… sha256:123456789012")) + "… " + digest(long)}}, nil,
		},
	} {
		t.Run(tt.name, tt.check)
	}
}

func TestAnOverrideChangesTheNameAndNoFact(t *testing.T) {
	m := machine{env: map[string]string{"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/tf"}}
	o := m.options()
	o.Override = "team-infra"
	got := Detect(o)
	want := Applier{Name: "team-infra", Kind: operation.Service, Facts: map[string]string{"aws role": "arn:aws:iam::123456789012:role/tf"}}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Applier{})); diff != "" {
		t.Errorf("applier (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"arn:aws:iam::123456789012:role/tf", "team-infra", "tf"}, got.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestAUserWhoIsNotKnownIsSaidToBe(t *testing.T) {
	o := machine{}.options()
	o.User = func() (string, error) { return "", errors.New("no such uid") }
	want := Applier{Name: "unknown", Kind: operation.Human, Problems: []string{"who runs this is not known: no such uid"}}
	if diff := cmp.Diff(want, Detect(o), cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Applier{})); diff != "" {
		t.Errorf("applier (-want +got):\n%s", diff)
	}
}

func FuzzCredentialsNeverShowWhatTheyHide(f *testing.F) {
	for _, seed := range []string{keyFile, federated, person, nobody, `{"type":"external_account","audience":"a"}`, `{`, `null`, `{"type":"a"}`, `{"type":"x","type":"y"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, ok := readCredentials(data)
		if !ok && c != (credentials{}) {
			t.Errorf("%q: %+v of what is not known", data, c)
		}
		if ok && !strings.HasPrefix(c.String(), c.kind+" ") {
			t.Errorf("%q: %s", data, c)
		}
		got := Detect(machine{env: map[string]string{"GOOGLE_CREDENTIALS": "{" + string(data)}}.options())
		for name, value := range got.Facts {
			if len(value) > maxFact || value != operation.Printable(value) {
				t.Errorf("%s: %q", name, value)
			}
		}
	})
}

func TestTheShortNameOfARoleIsKnownToo(t *testing.T) {
	got := map[string]string{}
	for _, arn := range []string{
		"arn:aws:iam::123456789012:role/tf", "arn:aws:iam::123456789012:role/ci/eu/tf", "arn:aws:sts::123456789012:assumed-role/tf/session",
		"arn:aws:iam::123456789012:user/bob", "arn:aws:iam::123456789012:root", "arn:aws:s3:::bucket/role/x", "tf@example.com", "arn:aws:iam",
	} {
		got[arn] = roleOf(arn)
	}
	want := map[string]string{
		"arn:aws:iam::123456789012:role/tf": "tf", "arn:aws:iam::123456789012:role/ci/eu/tf": "tf", "arn:aws:sts::123456789012:assumed-role/tf/session": "tf",
		"arn:aws:iam::123456789012:user/bob": "bob", "arn:aws:iam::123456789012:root": "", "arn:aws:s3:::bucket/role/x": "", "tf@example.com": "", "arn:aws:iam": "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
