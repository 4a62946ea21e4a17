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

func TestTheIdentityIsFoundInTheEnvironment(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tt := range []struct {
		name  string
		m     machine
		want  Applier
		names []string
	}{
		{"nothing", machine{}, Applier{Name: "alice@laptop", Kind: operation.Human}, nil},
		{
			"GitHub Actions", machine{env: map[string]string{
				"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "octo/infra", "GITHUB_REF": "refs/heads/main",
				"GITHUB_WORKFLOW_REF": "octo/infra/.github/workflows/apply.yml@refs/heads/main", "GITHUB_ACTOR": "bob", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_TOKEN": "VERYSECRET",
			}},
			Applier{Name: "github.com/octo/infra/.github/workflows/apply.yml@refs/heads/main", Kind: operation.Service, Via: "GitHub Actions", Facts: map[string]string{
				"ci": "GitHub Actions", "ci identity": "github.com/octo/infra/.github/workflows/apply.yml@refs/heads/main",
				"ci repository": "octo/infra", "ci ref": "refs/heads/main", "ci actor": "bob",
			}}, nil,
		},
		{
			"GitLab, whoever clicks", machine{env: map[string]string{
				"CI": "true", "GITLAB_CI": "true", "CI_SERVER_URL": "https://gitlab.example.com", "CI_PROJECT_PATH": "octo/infra", "CI_COMMIT_REF_NAME": "main",
				"CI_PIPELINE_SOURCE": "push", "GITLAB_USER_LOGIN": "bob", "CI_JOB_TOKEN": "VERYSECRET", "CI_COMMIT_REF_PROTECTED": "true",
			}},
			Applier{Name: "gitlab.example.com/octo/infra", Kind: operation.Service, Via: "GitLab CI", Facts: map[string]string{
				"ci": "GitLab CI", "ci identity": "gitlab.example.com/octo/infra", "ci repository": "octo/infra", "ci ref": "main", "ci ref protected": "true", "ci source": "push",
			}}, nil,
		},
		{
			"Atlantis, whoever comments", machine{env: map[string]string{
				"ATLANTIS_TERRAFORM_VERSION": "1.14.0", "BASE_REPO_OWNER": "octo", "BASE_REPO_NAME": "infra", "PULL_NUM": "12", "REPO_REL_DIR": ".", "USER_NAME": "bob",
				"HEAD_BRANCH_NAME": "feature", "BASE_BRANCH_NAME": "main",
			}},
			Applier{Name: "octo/infra/12/.", Kind: operation.Service, Via: "Atlantis", Facts: map[string]string{
				"ci": "Atlantis", "ci identity": "octo/infra/12/.", "ci head": "feature", "ci base": "main",
			}}, nil,
		},
		{
			"Cloud Build", machine{env: map[string]string{"BUILDER_OUTPUT": "/builder/outputs", "PROJECT_ID": "prod", "TRIGGER_NAME": "apply", "SERVICE_ACCOUNT_EMAIL": "tf@prod.iam.gserviceaccount.com"}},
			Applier{Name: "prod/apply", Kind: operation.Service, Via: "Cloud Build", Facts: map[string]string{"ci": "Cloud Build", "ci identity": "prod/apply"}},
			[]string{"tf@prod.iam.gserviceaccount.com"},
		},
		{
			"Cloud Build that says no more", machine{env: map[string]string{"CLOUD_BUILD": "1"}},
			Applier{Name: "Cloud Build", Kind: operation.Service, Via: "Cloud Build", Facts: map[string]string{"ci": "Cloud Build"}}, nil,
		},
		{
			"HCP Terraform", machine{env: map[string]string{"TFC_RUN_ID": "run-1", "TFC_WORKSPACE_SLUG": "octo/prod"}},
			Applier{Name: "octo/prod", Kind: operation.Service, Via: "HCP Terraform", Facts: map[string]string{"ci": "HCP Terraform", "ci identity": "octo/prod"}}, nil,
		},
		{
			"CodeBuild, without the run", machine{env: map[string]string{"CODEBUILD_BUILD_ARN": "arn:aws:codebuild:eu-west-1:123456789012:build/apply:b1e6661e"}},
			Applier{Name: "arn:aws:codebuild:eu-west-1:123456789012:project/apply", Kind: operation.Service, Via: "CodeBuild", Facts: map[string]string{
				"ci": "CodeBuild", "ci identity": "arn:aws:codebuild:eu-west-1:123456789012:project/apply",
			}}, nil,
		},
		{
			"a CI system that is not known", machine{env: map[string]string{"CI": "true"}},
			Applier{Name: "alice@CI", Kind: operation.Service, Via: "CI", Facts: map[string]string{"ci": "of a kind that is not known"}}, nil,
		},
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
		t.Run(tt.name, func(t *testing.T) {
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
		})
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

func TestFilesAreReadUpToALimit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path string
		limit      int
		want       string
		wantErr    string
	}{
		{"one that fits", path, 5, "12345", ""},
		{"one that is longer", path, 4, "", path + " has more than 4 bytes"},
		{"a folder", dir, 5, "", dir + " is not a regular file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readFile(tt.path, tt.limit)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if string(got) != tt.want || text != tt.wantErr {
				t.Errorf("%q, %q", got, text)
			}
		})
	}
}

func TestThisProcessHasAnApplier(t *testing.T) {
	user, err := currentUser()
	if err != nil || !strings.Contains(user, "@") {
		t.Errorf("%q, %v", user, err)
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
