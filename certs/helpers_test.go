package certs

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

const testName = "mollyguard.mollyguard.svc"

// epoch is when tests begin.
var epoch = time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: epoch} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBuffer) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// memStore is a Store that keeps what a Secret would, and can be made to fail.
type memStore struct {
	mu       sync.Mutex
	fields   map[string][]byte
	revision int
	saves    int
	loadErr  error
	saveErr  error
	onSave   func() // called once, before the next save
}

func (s *memStore) version() string {
	if s.fields == nil {
		return ""
	}
	return strconv.Itoa(s.revision)
}

func (s *memStore) Load(context.Context) (Bundle, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loadErr != nil {
		return Bundle{}, "", s.loadErr
	}
	b, err := decode("memory", s.fields)
	return b, s.version(), err
}

func (s *memStore) Save(_ context.Context, b Bundle, version string) error {
	s.mu.Lock()
	hook := s.onSave
	s.onSave = nil
	s.mu.Unlock()
	if hook != nil {
		hook()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saveErr != nil {
		return s.saveErr
	}
	if version != s.version() {
		return fmt.Errorf("save to memory: %w", ErrConflict)
	}
	fields, err := encode(b)
	if err != nil {
		return err
	}
	s.fields = fields
	s.revision++
	s.saves++
	return nil
}

// set changes what is stored behind the keepers' backs.
func (s *memStore) set(change func(*memStore)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
	s.revision++
}

func (s *memStore) bundle(t *testing.T) Bundle {
	t.Helper()
	b, _, err := s.Load(t.Context())
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return b
}

func newTestKeeper(t *testing.T, store Store, c *clock, change ...func(*KeeperOptions)) *Keeper {
	t.Helper()
	o := KeeperOptions{Store: store, DNSNames: []string{testName}, Now: c.Now}
	for _, f := range change {
		f(&o)
	}
	k, err := NewKeeper(o)
	if err != nil {
		t.Fatalf("new keeper: %v", err)
	}
	return k
}

func mustSync(t *testing.T, s interface{ Sync(context.Context) error }) {
	t.Helper()
	if err := s.Sync(t.Context()); err != nil {
		t.Fatalf("sync: %v", err)
	}
}

func testPolicy(t testing.TB) policy {
	t.Helper()
	p, err := newPolicy(KeeperOptions{DNSNames: []string{testName}})
	if err != nil {
		t.Fatalf("policy: %v", err)
	}
	return p
}

func mustNext(t testing.TB, b Bundle, now time.Time, p policy) Bundle {
	t.Helper()
	b, _, err := next(b, now, p)
	if err != nil {
		t.Fatalf("next: %v", err)
	}
	return b
}

// tlsServer serves a source's certificate on a real socket and closes every connection after its handshake.
func tlsServer(t *testing.T, s Source) (address string) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: s.GetCertificate, SessionTicketsDisabled: true})
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.(*tls.Conn).Handshake() // the client says what went wrong
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// handshake is what an API server does that has the bundle ca.
func handshake(address string, ca []byte, name string, now time.Time) error {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return errors.New("the bundle has no certificates")
	}
	dialer := &tls.Dialer{
		NetDialer: &net.Dialer{Timeout: 10 * time.Second},
		Config: &tls.Config{
			RootCAs: roots, ServerName: name, Time: func() time.Time { return now },
			CurvePreferences: []tls.CurveID{tls.CurveP256}, // the default costs a third of a test under the race detector
		},
	}
	c, err := dialer.Dial("tcp", address)
	if err != nil {
		return err
	}
	return c.Close()
}

func mustHandshake(t *testing.T, address string, ca []byte, now time.Time) {
	t.Helper()
	if err := handshake(address, ca, testName, now); err != nil {
		t.Fatalf("handshake at %s: %v", now, err)
	}
}

// signalled says whether a value waits, and takes it.
func signalled(s Source) bool {
	select {
	case <-s.Changed():
		return true
	default:
		return false
	}
}

func encodePEM(blockType string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der})
}

// keyPEM is a key in clear.
func keyPEM(t testing.TB, k PrivateKey) []byte {
	t.Helper()
	data, err := k.appendPEM(nil)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// ecdsaScalar is the secret number of a key.
func ecdsaScalar(t testing.TB, k PrivateKey) *big.Int {
	t.Helper()
	key, ok := (*k.key).(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("key is a %T", *k.key)
	}
	secret, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return new(big.Int).SetBytes(secret)
}
