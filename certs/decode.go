package certs

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

const (
	// maxFieldBytes caps a field of stored state: 64 KiB. A certificate of ours is some 700 bytes of PEM, and there are two or
	// three; with maxAuthorities of them it is 16 × 0.7 KiB = 11 KiB.
	maxFieldBytes = 64 << 10

	// maxAuthorities caps the certificates in a bundle, for API servers try them all: 16, where a rotation needs 2 and one
	// that overtakes another 3.
	maxAuthorities = 16
)

// decode reads stored state, with the contract of [Store].Load for what it returns. Only the shape is judged here; a leaf that is
// well-formed but wrong is for [next] to replace.
func decode(store string, fields map[string][]byte) (Bundle, error) {
	if !slices.ContainsFunc(fieldsOf(fields), func(f string) bool { return len(fields[f]) > 0 }) {
		return Bundle{}, nil
	}
	if len(fields[fieldRotation]) == 0 {
		return Bundle{}, &ForeignError{Store: store, Reason: fmt.Sprintf(
			"it holds something, but no %q, so somebody else made it and it is left alone: use another name, or delete it", fieldRotation)}
	}
	for _, field := range fieldsOf(fields) {
		if size := len(fields[field]); size > maxFieldBytes {
			return Bundle{}, &CorruptError{store, field, fmt.Errorf("it has %d bytes, more than %d", size, maxFieldBytes)}
		}
	}

	var r rotation
	if err := json.Unmarshal(fields[fieldRotation], &r); err != nil {
		return Bundle{}, &CorruptError{store, fieldRotation, err}
	}
	if r.Format > format {
		return Bundle{}, &ForeignError{Store: store, Reason: fmt.Sprintf(
			"it was written by a newer mollyguard (format %d, this one knows %d) and is left alone: upgrade, or delete it", r.Format, format)}
	}
	authorities, field, err := decodeAuthorities(r, fields[fieldCA], fields[fieldCAKey])
	if err != nil {
		return Bundle{}, &CorruptError{store, field, err}
	}
	leaf, field, err := decodeLeaf(fields[fieldLeaf], fields[fieldLeafKey])
	if err != nil {
		return Bundle{Authorities: authorities}, &CorruptError{store, field, err}
	}
	return Bundle{Authorities: authorities, Leaf: leaf}, nil
}

// fieldsOf is sorted, so that of several things that are wrong always the same is told.
func fieldsOf(fields map[string][]byte) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// decodeAuthorities names the field that is wrong with the error.
func decodeAuthorities(r rotation, certificates, keys []byte) ([]Authority, string, error) {
	if r.Format != format {
		return nil, fieldRotation, fmt.Errorf("format %d is unknown", r.Format)
	}
	if n := len(r.Authorities); n == 0 || n > maxAuthorities {
		return nil, fieldRotation, fmt.Errorf("it has %d authorities, not 1 to %d", n, maxAuthorities)
	}
	parsed, err := parseCertificates(certificates)
	if err != nil {
		return nil, fieldCA, err
	}
	if len(parsed) != len(r.Authorities) {
		return nil, fieldCA, fmt.Errorf("it has %d certificates, but %q lists %d", len(parsed), fieldRotation, len(r.Authorities))
	}
	var parsedKeys []PrivateKey
	if len(keys) > 0 {
		if parsedKeys, err = parsePrivateKeys(keys); err != nil {
			return nil, fieldCAKey, err
		}
	}
	list := make([]Authority, 0, len(parsed))
	for i, c := range parsed {
		record := r.Authorities[i]
		switch {
		case fingerprint(c) != record.SHA256:
			return nil, fieldCA, fmt.Errorf("certificate %d is not the one that %q lists", i+1, fieldRotation)
		case !c.IsCA:
			return nil, fieldCA, fmt.Errorf("certificate %d is not an authority's", i+1)
		case record.Added.IsZero():
			return nil, fieldRotation, fmt.Errorf("authority %d has no time at which it was added", i+1)
		}
		a := Authority{Certificate: c, Added: record.Added, Retired: record.Retired}
		if a.Retired.IsZero() {
			j := slices.IndexFunc(parsedKeys, func(k PrivateKey) bool { return k.fits(c) })
			if j < 0 {
				return nil, fieldCAKey, fmt.Errorf("there is no key for certificate %d of %q", i+1, fieldCA)
			}
			a.Key = parsedKeys[j]
		}
		list = append(list, a)
	}
	return list, "", nil
}

// decodeLeaf names the field that is wrong with the error.
func decodeLeaf(certificate, key []byte) (Leaf, string, error) {
	certificates, err := parseCertificates(certificate)
	if err != nil {
		return Leaf{}, fieldLeaf, err
	}
	if len(certificates) != 1 {
		return Leaf{}, fieldLeaf, fmt.Errorf("it has %d certificates, not one", len(certificates))
	}
	keys, err := parsePrivateKeys(key)
	if err != nil {
		return Leaf{}, fieldLeafKey, err
	}
	if len(keys) != 1 {
		return Leaf{}, fieldLeafKey, errors.New("it has more than one key")
	}
	return Leaf{Certificate: certificates[0], Key: keys[0]}, "", nil
}
