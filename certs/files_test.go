package certs

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pairDir is a directory with files of somebody else.
type pairDir struct {
	path string
	ca   bool
}

func newPairDir(t *testing.T, b Bundle, ca bool) pairDir {
	t.Helper()
	d := pairDir{t.TempDir(), ca}
	d.put(t, b)
	return d
}

func (d pairDir) file(name string) string { return filepath.Join(d.path, name) }

func (d pairDir) put(t *testing.T, b Bundle) {
	t.Helper()
	write(t, d.file("tls.crt"), encodePEM(pemCertificate, b.Leaf.Certificate.Raw))
	write(t, d.file("tls.key"), keyPEM(t, b.Leaf.Key))
	if d.ca {
		write(t, d.file("ca.crt"), append([]byte("# a comment\n"), b.caBundle()...))
	}
}

func (d pairDir) options(c *clock) FilesOptions {
	o := FilesOptions{CertFile: d.file("tls.crt"), KeyFile: d.file("tls.key"), Now: c.Now}
	if d.ca {
		o.CAFile = d.file("ca.crt")
	}
	return o
}

func (d pairDir) open(t *testing.T, c *clock) *Files {
	t.Helper()
	f, err := NewFiles(d.options(c))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFilesAreServedAndFollowed(t *testing.T) {
	t.Parallel()
	p, c := testPolicy(t), newClock()
	first := mustNext(t, Bundle{}, epoch, p)
	dir := newPairDir(t, first, true)
	f := dir.open(t, c)
	address := tlsServer(t, f)
	if err := errors.Join(f.Ready(), f.Problem()); err != nil {
		t.Error(err)
	}
	if string(f.CABundle()) != string(first.caBundle()) || !signalled(f) {
		t.Error("want the CA bundle, without its comment, and a value on Changed")
	}
	mustHandshake(t, address, first.caBundle(), c.Now())

	c.Add(time.Hour)
	renewed := mustNext(t, Bundle{Authorities: first.Authorities}, c.Now(), p)
	dir.put(t, renewed)
	mustSync(t, f)
	if got, want := f.NotAfter(), renewed.Leaf.Certificate.NotAfter; !got.Equal(want) {
		t.Errorf("not after %s, want %s", got, want)
	}
	if signalled(f) {
		t.Error("Changed for a CA bundle that has not")
	}
	mustHandshake(t, address, first.caBundle(), c.Now())

	other := mustNext(t, Bundle{}, c.Now(), p)
	dir.put(t, other)
	mustSync(t, f)
	mustSync(t, f)
	if string(f.CABundle()) != string(other.caBundle()) || !signalled(f) || signalled(f) {
		t.Error("want the new CA bundle and one value on Changed")
	}
	mustHandshake(t, address, other.caBundle(), c.Now())
}

func TestWithoutACAFileThereIsNoBundle(t *testing.T) {
	t.Parallel()
	c := newClock()
	b := mustNext(t, Bundle{}, epoch, testPolicy(t))
	f := newPairDir(t, b, false).open(t, c)
	if f.CABundle() != nil || signalled(f) {
		t.Error("there is a CA bundle")
	}
	mustHandshake(t, tlsServer(t, f), b.caBundle(), c.Now())
}

// TestAMountedSecretIsFollowed changes the files as the kubelet does, by a link to another directory.
func TestAMountedSecretIsFollowed(t *testing.T) {
	t.Parallel()
	p, c := testPolicy(t), newClock()
	first, second := mustNext(t, Bundle{}, epoch, p), mustNext(t, Bundle{}, epoch, p)
	mount := pairDir{t.TempDir(), true}
	link := func(b Bundle) {
		t.Helper()
		if err := os.Symlink(newPairDir(t, b, true).path, mount.file("..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(mount.file("..data_tmp"), mount.file("..data")); err != nil {
			t.Fatal(err)
		}
	}
	link(first)
	for _, name := range []string{"tls.crt", "tls.key", "ca.crt"} {
		if err := os.Symlink(filepath.Join("..data", name), mount.file(name)); err != nil {
			t.Fatal(err)
		}
	}
	f := mount.open(t, c)
	link(second)
	mustSync(t, f)
	mustHandshake(t, tlsServer(t, f), second.caBundle(), c.Now())
}

// badFiles are changes to a good pair after which it cannot be used.
func badFiles(t *testing.T, good Bundle) map[string]struct {
	change func(t *testing.T, d pairDir)
	want   []string
} {
	t.Helper()
	p := testPolicy(t)
	other := mustNext(t, Bundle{}, epoch, p)
	expired := mustNext(t, Bundle{}, epoch.AddDate(0, -6, 0), p)
	type bad = struct {
		change func(t *testing.T, d pairDir)
		want   []string
	}
	replace := func(name string, data []byte) func(*testing.T, pairDir) {
		return func(t *testing.T, d pairDir) { write(t, d.file(name), data) }
	}
	remove := func(name string) func(*testing.T, pairDir) {
		return func(t *testing.T, d pairDir) {
			if err := os.Remove(d.file(name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return map[string]bad{
		"a missing certificate":     {remove("tls.crt"), []string{"read the serving certificate", "tls.crt", "no such file"}},
		"a missing key":             {remove("tls.key"), []string{"read the serving certificate's key", "tls.key", "no such file"}},
		"a missing CA file":         {remove("ca.crt"), []string{"read the CA bundle", "ca.crt", "no such file"}},
		"an empty certificate":      {replace("tls.crt", nil), []string{"tls.crt", `there is no PEM block "CERTIFICATE"`}},
		"a half-written one":        {replace("tls.crt", good.caBundle()[:300]), []string{"tls.crt", "only 0 of 1 PEM blocks can be read, is it cut off?"}},
		"a certificate of garbage":  {replace("tls.crt", encodePEM(pemCertificate, []byte("x"))), []string{"tls.crt", "certificate 1"}},
		"a key for a certificate":   {replace("tls.crt", keyPEM(t, good.Leaf.Key)), []string{"tls.crt", `PEM block 1 is a "PRIVATE KEY", only "CERTIFICATE" belongs here`}},
		"a key of another":          {replace("tls.key", keyPEM(t, other.Leaf.Key)), []string{"tls.crt", "tls.key", "private key does not match public key"}},
		"a key of garbage":          {replace("tls.key", []byte("x")), []string{"tls.key"}},
		"an oversized certificate":  {replace("tls.crt", make([]byte, maxFileBytes+1)), []string{"tls.crt has more than 1048576 bytes"}},
		"an oversized key":          {replace("tls.key", make([]byte, maxFileBytes+1)), []string{"tls.key has more than 1048576 bytes"}},
		"an oversized CA file":      {replace("ca.crt", make([]byte, maxFileBytes+1)), []string{"ca.crt has more than 1048576 bytes"}},
		"another's CA file":         {replace("ca.crt", other.caBundle()), []string{"ca.crt does not vouch for serving certificate", "API servers would refuse it"}},
		"a key in the CA file":      {replace("ca.crt", append(good.caBundle(), keyPEM(t, good.Leaf.Key)...)), []string{"ca.crt", `PEM block 2 is a "PRIVATE KEY"`}},
		"a CA file that is cut off": {replace("ca.crt", append(good.caBundle(), good.caBundle()[:99]...)), []string{"ca.crt", "only 1 of 2"}},
		"a directory": {func(t *testing.T, d pairDir) {
			remove("tls.key")(t, d)
			if err := os.Mkdir(d.file("tls.key"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{"tls.key is not a regular file"}},
		"an expired certificate": {func(t *testing.T, d pairDir) { d.put(t, expired) },
			[]string{"tls.crt expired on 2026-08-19T03:12:47Z, and it is 2026-11-21T03:12:47Z now"}},
	}
}

func TestBadFilesAreAnErrorAtTheStart(t *testing.T) {
	t.Parallel()
	good := mustNext(t, Bundle{}, epoch, testPolicy(t))
	for name, tt := range badFiles(t, good) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newPairDir(t, good, true)
			tt.change(t, d)
			_, err := NewFiles(d.options(newClock()))
			wantPieces(t, err, tt.want)
			if name == "an expired certificate" {
				wantPieces(t, err, []string{"renew it, or give another"})
			}
		})
	}
}

func TestBadFilesDoNotReplaceGoodOnes(t *testing.T) {
	t.Parallel()
	good := mustNext(t, Bundle{}, epoch, testPolicy(t))
	for name, tt := range badFiles(t, good) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, d, log := newClock(), newPairDir(t, good, true), &logBuffer{}
			o := d.options(c)
			o.Log = log.Logger()
			f, err := NewFiles(o)
			if err != nil {
				t.Fatal(err)
			}
			tt.change(t, d)
			wantPieces(t, f.Sync(t.Context()), tt.want)
			wantPieces(t, f.Sync(t.Context()), tt.want)
			wantPieces(t, f.Problem(), tt.want)
			if err := f.Ready(); err != nil {
				t.Errorf("ready: %v", err)
			}
			mustHandshake(t, tlsServer(t, f), good.caBundle(), c.Now())
			if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
				t.Errorf("the same problem is logged %d times: %s", n, log)
			}

			if name == "a directory" {
				if err := os.Remove(d.file("tls.key")); err != nil {
					t.Fatal(err)
				}
			}
			d.put(t, good)
			mustSync(t, f)
			if err := f.Problem(); err != nil {
				t.Errorf("with good files again: %v", err)
			}
			if !strings.Contains(log.String(), "good again") {
				t.Errorf("log is %s", log)
			}
		})
	}
}

func wantPieces(t *testing.T, err error, pieces []string) {
	t.Helper()
	for _, piece := range pieces {
		if err == nil || !strings.Contains(err.Error(), piece) {
			t.Errorf("error is %v, want %q in it", err, piece)
		}
	}
}

func TestFilesThatExpireAreNotReady(t *testing.T) {
	t.Parallel()
	c := newClock()
	f := newPairDir(t, mustNext(t, Bundle{}, epoch, testPolicy(t)), true).open(t, c)
	c.Add(DefaultLeafValidity)
	if err := f.Ready(); err != nil {
		t.Errorf("in its last second: %v", err)
	}
	c.Add(time.Second)
	wantPieces(t, f.Ready(), []string{"serving certificate expired on 2027-02-19T03:12:47Z"})
	wantPieces(t, f.Sync(t.Context()), []string{"expired"})
	if _, err := f.GetCertificate(nil); err != nil {
		t.Errorf("it is not handed out any more: %v", err)
	}
}

func TestFilesOfTheFutureAreWaitedFor(t *testing.T) {
	t.Parallel()
	c := newClock()
	f := newPairDir(t, mustNext(t, Bundle{}, epoch.AddDate(0, 0, 1), testPolicy(t)), true).open(t, c)
	wantPieces(t, f.Ready(), []string{"is not valid before 2026-11-22T02:12:47Z", "is this machine's clock right?"})
	c.Add(24 * time.Hour)
	mustSync(t, f)
	if err := errors.Join(f.Ready(), f.Problem()); err != nil {
		t.Error(err)
	}
}

func TestKeysOfAnotherKindAreServed(t *testing.T) {
	t.Parallel()
	c := newClock()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{DNSNames: []string{testName}, NotBefore: epoch, NotAfter: epoch.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	d := pairDir{t.TempDir(), true}
	write(t, d.file("tls.crt"), encodePEM(pemCertificate, der))
	write(t, d.file("ca.crt"), encodePEM(pemCertificate, der)) // self-signed, as cert-manager writes it
	write(t, d.file("tls.key"), encodePEM(pemPrivateKey, key))
	f := d.open(t, c)
	mustHandshake(t, tlsServer(t, f), f.CABundle(), c.Now())
}

func TestNewFilesReportsAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := NewFiles(FilesOptions{Interval: -1})
	wantPieces(t, err, []string{"certificate file options", "certFile: no path", "keyFile: no path", "interval: -1ns is negative"})
}

func TestRunFollowsFilesUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := testPolicy(t)
		d := newPairDir(t, mustNext(t, Bundle{}, time.Now(), p), true)
		o := d.options(nil)
		o.Now = nil
		f, err := NewFiles(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Run(ctx) }()
		synctest.Wait()

		other := mustNext(t, Bundle{}, time.Now(), p)
		d.put(t, other)
		<-time.After(DefaultFilesInterval) // of the bubble's clock, which does not wait
		synctest.Wait()
		if string(f.CABundle()) != string(other.caBundle()) {
			t.Error("the new files are not in use")
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}
