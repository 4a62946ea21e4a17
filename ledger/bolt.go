package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	// lockTimeout is how long Open waits for another process that has the file: one
	// that is being replaced ends within it, and a mistake shows at once.
	lockTimeout = time.Second
	// DefaultMaxBytes is how large a ledger's file may become: a full outbox
	// (MaxOutbox entries of about 2 KiB, 200 MiB), and 90 days of 500 cases of 10 KiB
	// (450 MiB), with room for the pages that a write leaves free.
	DefaultMaxBytes = 1 << 30
)

// Options says how a Ledger is kept. The zero value is fine.
type Options struct {
	// MaxBytes is how large the file may become; zero means DefaultMaxBytes. A write
	// that does not fit is an error and changes nothing.
	MaxBytes int
	// Temporary is for a file that nobody needs after a crash: writes do not wait for
	// the disk.
	Temporary bool
}

// Ledger is one bbolt file (https://github.com/etcd-io/bbolt) with break-glass
// cases and the outbox. It may be used concurrently, by one process. What a
// method has written when it returns nil is on disk. A write waits for its turn,
// and a context that ends meanwhile does not call it off.
//
// Grants that came as tokens are kept with the token, which is verified again at
// every use. Nobody but the actor whom a token names can use it, so that a stolen
// file opens nothing; it is still readable by its owner only.
type Ledger struct{ db *bbolt.DB }

// The buckets of the file. A change of what is in them is a new version.
var (
	bucketMeta = []byte("meta")
	// bucketCases has a bucket for each handle; see cases.go.
	bucketCases = []byte("cases")
	// bucketAges and bucketSubjects are indexes of the cases.
	bucketAges     = []byte("cases-by-age")
	bucketSubjects = []byte("cases-by-subject")
	// bucketOutbox has the entries by number, bucketPending their numbers by
	// deduplication key.
	bucketOutbox  = []byte("outbox")
	bucketPending = []byte("outbox-by-key")

	buckets = [][]byte{bucketCases, bucketAges, bucketSubjects, bucketOutbox, bucketPending}

	keyVersion = []byte("version")
)

// fileVersion is the version of the layout of the buckets.
const fileVersion = 2

// firstVersion had no tables. A file of it is brought up to date when it is opened.
const firstVersion = 1

// Open opens the ledger in a file, and makes the file if there is none. A file
// that another process has, that is damaged, or that a newer version wrote is an
// error, and stays as it is.
func Open(path string, o Options) (*Ledger, error) {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	db, err := openFile(path, o)
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open the ledger %s: another process has it", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open the ledger %s: %w", path, err)
	}
	return &Ledger{db}, nil
}

// Close closes the file, after the transactions that are under way.
func (l *Ledger) Close() error {
	if err := l.db.Close(); err != nil {
		return fmt.Errorf("close the ledger: %w", err)
	}
	return nil
}

// openFile opens a file and reads all of it once, so that damage shows at the
// start and not in the middle of an incident.
func openFile(path string, o Options) (_ *bbolt.DB, err error) {
	var db *bbolt.DB
	// bbolt panics on pages that make no sense, and reading past the end of a mapped
	// file that was cut short is a fault. If that is in bbolt.Open, nothing can give
	// the lock back before the process ends, which has no ledger to work with.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
		if err != nil && db != nil {
			_ = db.Close() // gives the lock back; the error to tell is the first
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockTimeout, MaxSize: o.MaxBytes, FreelistType: bbolt.FreelistMapType, NoStatistics: true,
		NoSync: o.Temporary,
	})
	if errors.Is(err, bolterrors.ErrInvalid) || errors.Is(err, bolterrors.ErrChecksum) || errors.Is(err, bolterrors.ErrVersionMismatch) {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	var found uint32
	if err := db.View(func(tx *bbolt.Tx) (err error) { found, err = check(tx); return err }); err != nil {
		return nil, err
	}
	switch found {
	case fileVersion:
		return db, nil
	case firstVersion:
		return db, db.Update(addTables)
	}
	if err := db.Update(initialize); err != nil {
		return nil, err
	}
	return db, syncFolder(filepath.Dir(path))
}

// ErrDamaged is what is wrong with a file that cannot be read. Repair takes over what
// can be.
var ErrDamaged = errors.New("not a ledger, or damaged: start again with --repair, which keeps the file aside and goes on with what can be read of it")

// check reads a whole file, and reports its version: 0 if it has just been made.
func check(tx *bbolt.Tx) (version uint32, err error) {
	info, err := os.Stat(tx.DB().Path())
	if err != nil {
		return 0, err
	}
	if tx.Size() > info.Size() {
		return 0, fmt.Errorf("%w: cut short", ErrDamaged)
	}
	if first, _ := tx.Cursor().First(); first == nil {
		return 0, nil
	}
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return 0, ErrDamaged
	}
	text := meta.Get(keyVersion)
	if len(text) != 4 {
		return 0, fmt.Errorf("%w: no version", ErrDamaged)
	}
	version = binary.BigEndian.Uint32(text)
	if version != fileVersion && version != firstVersion {
		return 0, fmt.Errorf("it is of version %d, this is a mollyguard that knows version %d", version, fileVersion)
	}
	for _, name := range buckets {
		if tx.Bucket(name) == nil {
			return 0, fmt.Errorf("%w: no bucket %s", ErrDamaged, name)
		}
	}
	if version == fileVersion {
		for _, table := range tables() {
			if tx.Bucket([]byte(table)) == nil {
				return 0, fmt.Errorf("%w: no bucket %s", ErrDamaged, table)
			}
		}
		if err := checkTables(tx); err != nil {
			return 0, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	if err := errors.Join(checkCases(tx), checkOutbox(tx)); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return version, nil
}

func initialize(tx *bbolt.Tx) error {
	for _, name := range buckets {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	if _, err := tx.CreateBucket(bucketMeta); err != nil {
		return err
	}
	return addTables(tx)
}

// addTables makes a file of the first version one of this version.
func addTables(tx *bbolt.Tx) error {
	for _, table := range tables() {
		if _, err := tx.CreateBucket([]byte(table)); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketMeta).Put(keyVersion, binary.BigEndian.AppendUint32(nil, fileVersion))
}

// syncFolder makes a new file's name durable; bbolt sees to its content.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func (l *Ledger) view(ctx context.Context, do func(tx *bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.db.View(do)
}

func (l *Ledger) update(ctx context.Context, do func(tx *bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.db.Update(do)
}
