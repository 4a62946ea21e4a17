package identity_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/operation"
)

// newToken makes a token that only depends on seed.
func newToken(t testing.TB, seed byte) (operation.Secret, string) {
	t.Helper()
	token, hash, err := identity.NewUserToken(bytes.NewReader(bytes.Repeat([]byte{seed}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return token, hash
}

const usersHead = "apiVersion: config.mollyguard.dev/v1alpha1\nkind: Users\nusers:\n"

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestATokenHas256RandomBitsAndItsHashIsOfAllOfIt(t *testing.T) {
	token, hash := newToken(t, 7)
	if want := "mgu_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"; token.Reveal() != want {
		t.Errorf("token %s, want %s", token.Reveal(), want)
	}
	// printf %s TOKEN | sha256sum
	if want := "sha256:64a583b5b6cf9da864e3658c69c89c5fa679817ea6bb73a253eecf26a1ce257b"; hash != want {
		t.Errorf("hash %s, want %s", hash, want)
	}
	if _, _, err := identity.NewUserToken(strings.NewReader("too short")); err == nil {
		t.Error("a token was made without entropy enough")
	}
}

func TestAUserIsKnownByTheirTokenAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	alice, aliceHash := newToken(t, 1)
	bot, botHash := newToken(t, 2)
	stranger, _ := newToken(t, 3)
	writeFile(t, path, usersHead+
		"- {name: alice@example.com, kind: human, groups: [sre, oncall], token: '"+aliceHash+"'}\n"+
		"- {name: deploy-bot, kind: agent, token: '"+botHash+"'}\n")
	users, err := identity.NewUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	wantAlice := operation.Actor{
		Identity: operation.Identity{Name: "alice@example.com", Kind: operation.Human}, Groups: []string{"sre", "oncall"},
		Credential: "user-token=" + aliceHash[len("sha256:"):][:16],
	}
	wantBot := operation.Actor{
		Identity:   operation.Identity{Name: "deploy-bot", Kind: operation.Agent},
		Credential: "user-token=" + botHash[len("sha256:"):][:16],
	}
	for _, tt := range []struct {
		name   string
		bearer operation.Secret
		want   operation.Actor
		err    *identity.Rejection
	}{
		{"a person", alice, wantAlice, nil},
		{"an agent", bot, wantBot, nil},
		{"a token of nobody", stranger, operation.Actor{}, &identity.Rejection{Reason: "no user has this token"}},
		{"the hash instead of the token", operation.NewSecret(aliceHash), operation.Actor{}, &identity.Rejection{Reason: "not a token of the users file", Foreign: true}},
		{"another kind of token", operation.NewSecret("eyJ.e30.x"), operation.Actor{}, &identity.Rejection{Reason: "not a token of the users file", Foreign: true}},
		{"nothing", operation.Secret{}, operation.Actor{}, &identity.Rejection{Reason: "not a token of the users file", Foreign: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := users.Authenticate(t.Context(), tt.bearer)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("actor (-want +got):\n%s", diff)
			}
			var rejection *identity.Rejection
			if err != nil && !errors.As(err, &rejection) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.err, rejection); diff != "" {
				t.Errorf("rejection (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhoIsTakenOutOfTheFileIsOutAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	token, hash := newToken(t, 1)
	line := "- {name: alice, kind: human, groups: [approvers], token: '" + hash + "'}\n"
	writeFile(t, path, usersHead+line)
	users, err := identity.NewUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	rights, err := identity.NewStatic(identity.StaticOptions{Approvers: identity.Members{Groups: []string{"approvers"}}, Current: users.Current})
	if err != nil {
		t.Fatal(err)
	}
	alice, err := users.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	may := func(actor operation.Actor) (bool, string, error) {
		return rights.Allowed(t.Context(), actor, identity.VerbApprove)
	}
	if allowed, why, err := may(alice); !allowed || err != nil {
		t.Fatalf("an approver may not approve: %q, %v", why, err)
	}

	writeFile(t, path, usersHead+strings.Replace(line, "approvers", "others", 1))
	if allowed, why, err := may(alice); allowed || err != nil || why != "alice may not approve" {
		t.Errorf("out of the group, as recorded before: %v, %q, %v", allowed, why, err)
	}

	writeFile(t, path, strings.TrimSuffix(usersHead, "\n")+" []\n")
	if allowed, why, err := may(alice); allowed || err != nil || why != "alice is not a user here any more" {
		t.Errorf("out of the file: %v, %q, %v", allowed, why, err)
	}
	if _, err := users.Authenticate(t.Context(), token); text(err) != "no user has this token" {
		t.Errorf("out of the file, the token: %v", err)
	}
	if allowed, _, err := may(person("bob", "approvers")); !allowed || err != nil {
		t.Errorf("who did not come in by the file is not looked for in it: %v", err)
	}

	writeFile(t, path, "a mistake")
	if _, err := users.Authenticate(t.Context(), token); err == nil || errors.As(err, new(*identity.Rejection)) {
		t.Errorf("a file with a mistake must be no answer: %v", err)
	}
	if _, _, err := may(alice); err == nil {
		t.Error("a file with a mistake must be no answer about rights")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := users.Authenticate(t.Context(), token); err == nil || errors.As(err, new(*identity.Rejection)) {
		t.Errorf("no file must be no answer: %v", err)
	}
}

func TestAUsersFileWithAMistakeIsRefusedWithTheMistake(t *testing.T) {
	_, one := newToken(t, 1)
	_, two := newToken(t, 2)
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "USERS: empty"},
		{"another kind", "apiVersion: config.mollyguard.dev/v1alpha1\nkind: Configuration\n", `USERS: expected apiVersion config.mollyguard.dev/v1alpha1 and kind Users, found "config.mollyguard.dev/v1alpha1" and "Configuration"`},
		{"an unknown key", usersHead + "- {nmae: alice}\n", `USERS:4: unknown key "nmae"`},
		{"a key in another case", usersHead + "- {Name: alice}\n", `USERS:4: unknown key "Name"`},
		{"a key twice", usersHead + "- {name: alice, name: bob}\n", `USERS:4: mapping key "name" already defined at line 4`},
		{"only a list", "- {name: alice}\n", "USERS:1: expected apiVersion, kind and users"},
		{"only a text, which is not quoted", "mgu_secret", "USERS:1: expected apiVersion, kind and users"},
		{"no list of users", usersHead + "  alice: {}\n", "USERS:4: expected a list of users"},
		{"a user who is a name", usersHead + "- alice\n- {name: [bob]}\n", "USERS:4: expected a user, with name, kind, groups and token\nUSERS:5: expected a text"},
		{"a group that is no list", usersHead + "- {groups: sre}\n", "USERS:4: expected a list of texts"},
		{"no YAML", "users: [", "USERS:1: did not find expected node content"},
		{"a second document", usersHead + "---\nusers: []\n", "USERS: something follows the first YAML document"},
		{"a user without anything", usersHead + "- {}\n", "USERS: users[0].name: missing\nUSERS: users[0].kind: \"\" is not one of [human service agent]\nUSERS: users[0].token: not sha256: and 64 hexadecimal digits"},
		{"the token itself is not quoted", usersHead + "- {name: alice, kind: human, token: mgu_secret}\n", "USERS: users[0].token: not sha256: and 64 hexadecimal digits"},
		{"a hash that is too short", usersHead + "- {name: alice, kind: human, token: 'sha256:00'}\n", "USERS: users[0].token: not sha256: and 64 hexadecimal digits"},
		{"a name in another case", usersHead + "- {name: alice, kind: human, token: '" + one + "'}\n- {name: Alice, kind: human, token: '" + two + "'}\n", `USERS: users[1].name: "Alice" is there twice`},
		{"two users with one token", usersHead + "- {name: alice, kind: human, token: '" + one + "'}\n- {name: bob, kind: human, token: '" + one + "'}\n", "USERS: users[1].token: another user has the same"},
		{"a name that only a cluster gives", usersHead + "- {name: 'system:admin', kind: human, token: '" + one + "'}\n", `USERS: users[0].name: "system:admin" begins with system:, which only a cluster gives`},
		{"a group that only a cluster gives", usersHead + "- {name: alice, kind: human, groups: ['system:masters'], token: '" + one + "'}\n", `USERS: users[0].groups[0]: "system:masters" begins with system:, which only a cluster gives`},
		{"a letter that looks like another", usersHead + "- {name: аlice, kind: human, token: '" + one + "'}\n", `USERS: users[0].name: "\u0430lice" has characters beside plain ASCII, which could be taken for another's`},
		{"a controller", usersHead + "- {name: alice, kind: controller, token: '" + one + "'}\n", `USERS: users[0].kind: "controller" is not one of [human service agent]`},
		{"larger than it may be", usersHead + "#" + strings.Repeat("x", 1<<20), "read users: USERS is larger than 1 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "users.yaml")
			writeFile(t, path, tt.text)
			_, err := identity.NewUsers(path)
			if got := strings.ReplaceAll(text(err), path, "USERS"); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestAUsersFileThatEverybodyWritesIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	writeFile(t, path, usersHead)
	if err := os.Chmod(path, 0o646); err != nil { // beyond what the umask leaves
		t.Fatal(err)
	}
	if _, err := identity.NewUsers(path); err == nil || !strings.Contains(err.Error(), "can be written by everybody") {
		t.Errorf("got %v", err)
	}
	if _, err := identity.NewUsers(filepath.Dir(path)); err == nil {
		t.Error("a folder was taken for a users file")
	}
}

func TestStaticRightsMatchWholeNames(t *testing.T) {
	rights, err := identity.NewStatic(identity.StaticOptions{
		Requesters: identity.Members{Users: []string{".*@example.com"}},
		Approvers:  identity.Members{Groups: []string{"sre|lead"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		actor operation.Actor
		verb  string
		want  bool
		why   string
	}{
		{"a name that matches", person("alice@example.com"), identity.VerbRequest, true, ""},
		{"a name that only begins so", person("alice@example.com.evil"), identity.VerbRequest, false, "alice@example.com.evil may not request"},
		{"a group", person("bob", "dev", "lead"), identity.VerbApprove, true, ""},
		{"a group that only contains one", person("bob", "leaders"), identity.VerbApprove, false, "bob may not approve"},
		{"a user who is called like a group", person("sre"), identity.VerbApprove, false, "sre may not approve"},
		{"nobody is listed", person("alice@example.com", "sre"), identity.VerbRevoke, false, "alice@example.com may not revoke"},
		{"a name with an escape", person("\x1b[2J"), identity.VerbRequest, false, `\x1b[2J may not request`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, why, err := rights.Allowed(t.Context(), tt.actor, tt.verb)
			if got != tt.want || why != tt.why || err != nil {
				t.Errorf("got %v, %q, %v, want %v, %q", got, why, err, tt.want, tt.why)
			}
		})
	}
	if _, _, err := rights.Allowed(t.Context(), person("alice"), "delete"); err == nil {
		t.Error("a verb that nobody knows was decided")
	}
	if may, err := rights.MayImpersonate(t.Context(), person("alice"), person("bob")); may || err != nil {
		t.Errorf("somebody may impersonate without a cluster: %v, %v", may, err)
	}
	_, err = identity.NewStatic(identity.StaticOptions{Approvers: identity.Members{Users: []string{"a)|(b", "["}}})
	if err == nil || !strings.Contains(err.Error(), "who may approve") {
		t.Errorf("patterns that are none: %v", err)
	}
}

func FuzzUsers(f *testing.F) {
	token, hash := newToken(f, 1)
	f.Add(usersHead + "- {name: alice, kind: human, groups: [sre], token: '" + hash + "'}\n")
	f.Add(`{"apiVersion":"config.mollyguard.dev/v1alpha1","kind":"Users","users":[]}`)
	f.Add(usersHead + "- &a {name: a}\n- *a\n")
	path := filepath.Join(f.TempDir(), "users.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		writeFile(t, path, text)
		users, err := identity.NewUsers(path)
		if err != nil {
			return
		}
		actor, err := users.Authenticate(t.Context(), token)
		if err != nil {
			return
		}
		if !strings.Contains(strings.ToLower(text), hash[len("sha256:"):]) && !strings.Contains(text, `\`) {
			t.Errorf("%s is known by a token whose hash is not in the file", actor.Name)
		}
		if actor.Name == "" || strings.HasPrefix(actor.Name, "system:") {
			t.Errorf("a user is called %q", actor.Name)
		}
	})
}
