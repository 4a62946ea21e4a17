package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
	"golang.org/x/oauth2"

	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/operation"
)

// renewBefore is how long before its end a login is renewed: the server's clock
// may be ahead, and what is sent takes time.
const renewBefore = time.Minute

// maxLogin is the largest login that is read: two tokens, and as much around them.
const maxLogin = 4 * identity.MaxToken

// login is what is kept of one: who issued it, and its tokens.
type login struct {
	issuerOptions
	idToken, refreshToken operation.Secret
	expires               time.Time
}

// loginFile is a login as it is in its file.
type loginFile struct {
	// Server guards against a file that was copied.
	Server string `json:"server"`
	issuerOptions
	IDToken      string    `json:"id_token"`
	RefreshToken string    `json:"refresh_token,omitempty"`
	Expires      time.Time `json:"expires"`
}

// logins keeps the login to one server in a file that only its owner reads. It may
// be used by several processes.
type logins struct {
	path, server string
	now          func() time.Time
}

// loginCache is where the login to a server is kept.
func loginCache(server string) (*logins, error) {
	folder, err := os.UserConfigDir()
	if err != nil {
		return nil, fmt.Errorf("find where logins are kept: %w", err)
	}
	sum := sha256.Sum256([]byte(server))
	name := "login-" + hex.EncodeToString(sum[:8]) + ".json"
	return &logins{path: filepath.Join(folder, "mollyguard", name), server: server, now: time.Now}, nil
}

// token returns the ID token, renewed if its time is over.
func (l *logins) token(ctx context.Context) (operation.Secret, error) {
	kept, err := l.load()
	if err != nil || l.good(kept) {
		return kept.idToken, err
	}
	// One at a time: a refresh token may be good for one use only.
	unlock, err := lockedfile.MutexAt(l.path + ".lock").Lock()
	if err != nil {
		return operation.Secret{}, fmt.Errorf("renew the login: %w", err)
	}
	defer unlock()
	if kept, err = l.load(); err != nil || l.good(kept) {
		return kept.idToken, err
	}
	renewed, err := kept.renew(ctx)
	if err != nil {
		return operation.Secret{}, err
	}
	return renewed.idToken, l.save(renewed)
}

func (l *logins) good(kept login) bool { return l.now().Before(kept.expires.Add(-renewBefore)) }

// renew gets a new ID token for the refresh token (OpenID Connect Core 1.0,
// section 12).
func (kept login) renew(ctx context.Context) (login, error) {
	over := &exitError{code: exitUndecided, err: errors.New("your login has expired"), hint: "log in again"}
	if kept.refreshToken.Reveal() == "" {
		return login{}, over
	}
	i, ctx, err := kept.open(ctx)
	if err != nil {
		return login{}, err
	}
	token, err := i.TokenSource(ctx, &oauth2.Token{RefreshToken: kept.refreshToken.Reveal()}).Token()
	var retrieve *oauth2.RetrieveError
	if errors.As(err, &retrieve) && retrieve.ErrorCode == "invalid_grant" {
		return login{}, over
	}
	if err != nil {
		return login{}, issuerError("renew the login", err)
	}
	renewed, _, err := i.login(ctx, token)
	return renewed, err
}

// load reads the login. A file that others can read is refused: what is in it may
// have been copied.
func (l *logins) load() (kept login, err error) {
	file, err := os.Open(l.path)
	if errors.Is(err, os.ErrNotExist) {
		return kept, &exitError{
			code: exitUndecided, err: fmt.Errorf("you are not logged in to %s", shown(l.server)),
			hint: "log in with mollyguard break-glass login --issuer URL --client-id ID, or say --api-token-file FILE, or set " + tokenVariable,
		}
	}
	if err != nil {
		return kept, fmt.Errorf("read the login: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return kept, fmt.Errorf("read the login: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return kept, fmt.Errorf("read the login: %s is open to others (mode %04o): remove it, and log in again", l.path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxLogin))
	if err != nil {
		return kept, fmt.Errorf("read the login: %w", err)
	}
	if kept, err = decodeLogin(text, l.server); err != nil {
		return kept, fmt.Errorf("read the login: %s: %w", l.path, err)
	}
	return kept, nil
}

// decodeLogin reads a login's file. What it says of a bad one does not quote it.
func decodeLogin(text []byte, server string) (login, error) {
	var f loginFile
	if err := json.Unmarshal(text, &f); err != nil || f.Issuer == "" || f.IDToken == "" {
		return login{}, errors.New("not a login: remove it, and log in again")
	}
	if f.Server != server {
		return login{}, errors.New("a login to another server: remove it, and log in again")
	}
	return login{
		issuerOptions: f.issuerOptions, idToken: operation.NewSecret(f.IDToken), refreshToken: operation.NewSecret(f.RefreshToken), expires: f.Expires,
	}, nil
}

// save replaces the login.
func (l *logins) save(kept login) error {
	text, err := json.MarshalIndent(loginFile{
		Server: l.server, issuerOptions: kept.issuerOptions,
		IDToken: kept.idToken.Reveal(), RefreshToken: kept.refreshToken.Reveal(), Expires: kept.expires,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("keep the login: %w", err)
	}
	if err := l.write(append(text, '\n')); err != nil {
		return fmt.Errorf("keep the login: %w", err)
	}
	return nil
}

// write replaces the file, so that nobody reads half of it.
func (l *logins) write(text []byte) error {
	folder := filepath.Dir(l.path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(folder, "login-*.tmp") // with mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), l.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
