package certs

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// DefaultFilesInterval is between two looks at the files: 10 s. The kubelet itself updates mounted Secrets within a minute or two,
// and whoever renews does so days ahead. Reading and parsing three small files takes half a millisecond.
const DefaultFilesInterval = 10 * time.Second

// FilesOptions are for [NewFiles]. CertFile and KeyFile must be given.
type FilesOptions struct {
	// CertFile has the serving certificate, followed by intermediate ones if there are any, in PEM.
	CertFile string
	// KeyFile has the private key, in PEM.
	KeyFile string
	// CAFile has what API servers are to trust, in PEM. Without one the source has no CABundle.
	CAFile string

	// Interval is between two looks at the files, by default DefaultFilesInterval.
	Interval time.Duration
	// Now is the clock, by default time.Now.
	Now func() time.Time
	// Log is by default silent. It never sees a key.
	Log *slog.Logger
}

// Files is a [Source] of files that somebody else maintains.
//
// The files are read at an interval and compared by content. Notifications would be no better: a mounted Secret changes by a symbolic
// link to a new directory, so a watch on the file dies with the old one; events get lost on network file systems; and a poll costs
// next to nothing. A read in the middle of a change gets a key that does not match, which is kept out like any bad pair, and the next
// read heals it.
type Files struct {
	serving
	certFile, keyFile, caFile string
	interval                  time.Duration
	log                       *slog.Logger

	mu sync.Mutex // one look at a time
}

// NewFiles loads the files. A pair that can never be served (missing, damaged, mismatched, expired) is an error; one that is not
// valid yet is left to Ready.
func NewFiles(o FilesOptions) (*Files, error) {
	var problems []error
	if o.CertFile == "" {
		problems = append(problems, errors.New("certFile: no path is given"))
	}
	if o.KeyFile == "" {
		problems = append(problems, errors.New("keyFile: no path is given"))
	}
	interval := orDefault(o.Interval, DefaultFilesInterval)
	if interval < 0 {
		problems = append(problems, fmt.Errorf("interval: %s is negative", interval))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("certificate file options: %w", err)
	}
	now, log := clockAndLog(o.Now, o.Log)
	f := &Files{serving: newServing(now), certFile: o.CertFile, keyFile: o.KeyFile, caFile: o.CAFile, interval: interval, log: log}

	pair, err := f.read()
	if err != nil {
		return nil, err
	}
	err = f.judge(pair)
	if bad, ok := errors.AsType[*invalid](err); ok && !bad.early {
		return nil, fmt.Errorf("%w: renew it, or give another", err)
	}
	f.report(err)
	f.swap(pair)
	return f, nil
}

// Run implements [Source]. It looks at the files at once, and then every Interval.
func (f *Files) Run(ctx context.Context) error {
	loop(ctx, f.interval, f.Ready, func(ctx context.Context) { _ = f.Sync(ctx) }) // it has been logged, and is kept for Problem
	return nil
}

// Sync looks at the files once. If they are no good, what was in use stays in use, and Problem says why until they are good again.
func (f *Files) Sync(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()

	pair, err := f.read()
	if err == nil {
		err = f.judge(pair)
	}
	if err != nil {
		if f.report(err) {
			f.log.ErrorContext(ctx, "certificate files are no good, the last good ones stay in use", "err", err, "not_after", f.NotAfter())
		}
		return err
	}
	if f.swap(pair) {
		f.log.InfoContext(ctx, "serving certificate in use", "path", f.certFile,
			"sha256", fingerprint(pair.certificate.Leaf), "not_after", pair.certificate.Leaf.NotAfter)
	}
	if f.report(nil) {
		f.log.InfoContext(ctx, "certificate files are good again", "path", f.certFile)
	}
	return nil
}

// read returns what is in the files, which belongs together but may not be valid now.
func (f *Files) read() (*served, error) {
	certificates, err := readFile(f.certFile)
	if err != nil {
		return nil, fmt.Errorf("read the serving certificate: %w", err)
	}
	key, err := readFile(f.keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the serving certificate's key: %w", err)
	}
	chain, err := parseCertificates(certificates)
	if err != nil {
		return nil, fmt.Errorf("read the serving certificate: %s: %w", f.certFile, err)
	}
	pair, err := tls.X509KeyPair(certificates, key)
	if err != nil {
		return nil, fmt.Errorf("serving certificate %s and key %s: %w", f.certFile, f.keyFile, err)
	}
	pair.Leaf = chain[0]
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("serving certificate's key %s: a %T cannot sign", f.keyFile, pair.PrivateKey)
	}
	pair.PrivateKey = seal(signer)
	if f.caFile == "" {
		return &served{certificate: &pair}, nil
	}
	ca, err := f.readCA(chain)
	if err != nil {
		return nil, err
	}
	return &served{certificate: &pair, ca: ca}, nil
}

// readCA returns the CA bundle, clean of comments, if it vouches for the chain.
func (f *Files) readCA(chain []*x509.Certificate) ([]byte, error) {
	data, err := readFile(f.caFile)
	if err != nil {
		return nil, fmt.Errorf("read the CA bundle: %w", err)
	}
	authorities, err := parseCertificates(data)
	if err != nil {
		return nil, fmt.Errorf("read the CA bundle: %s: %w", f.caFile, err)
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	var clean []byte
	for _, c := range authorities {
		roots.AddCert(c)
		clean = appendCertificatePEM(clean, c)
	}
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	now := f.now()
	if validAt(chain[0], now) != nil {
		return clean, nil // no chain is valid now, and judge says so in better words
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, CurrentTime: now}); err != nil {
		return nil, fmt.Errorf("CA bundle %s does not vouch for serving certificate %s, API servers would refuse it: %w", f.caFile, f.certFile, err)
	}
	return clean, nil
}

// judge says whether a pair can be served now.
func (f *Files) judge(pair *served) error {
	if err := validAt(pair.certificate.Leaf, f.now()); err != nil {
		return fmt.Errorf("serving certificate %s %w", f.certFile, err)
	}
	return nil
}
