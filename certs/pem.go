package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// The types of PEM blocks in use.
const (
	pemCertificate = "CERTIFICATE"
	pemPrivateKey  = "PRIVATE KEY"
)

// pemBegin opens every block.
const pemBegin = "-----BEGIN "

// parsePEM returns the contents of all blocks, at least one and all of one type. Text between blocks is allowed (CA files have
// comments); a block that does not decode, such as the last one of a half-written file, is not: [pem.Decode] would skip it.
func parsePEM(data []byte, blockType string) ([][]byte, error) {
	var blocks [][]byte
	for rest := data; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type != blockType {
			return nil, fmt.Errorf("PEM block %d is a %.40q, only %q belongs here", len(blocks)+1, block.Type, blockType)
		}
		blocks = append(blocks, block.Bytes)
	}
	begun := bytes.Count(data, []byte(pemBegin))
	switch {
	case begun == 0:
		return nil, fmt.Errorf("there is no PEM block %q", blockType)
	case begun != len(blocks):
		return nil, fmt.Errorf("only %d of %d PEM blocks can be read, is it cut off?", len(blocks), begun)
	}
	return blocks, nil
}

// parseCertificates reads PEM certificates, at least one.
func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	blocks, err := parsePEM(data, pemCertificate)
	if err != nil {
		return nil, err
	}
	list := make([]*x509.Certificate, 0, len(blocks))
	for i, der := range blocks {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i+1, err)
		}
		list = append(list, c)
	}
	return list, nil
}

// parsePrivateKeys reads PEM private keys, at least one.
func parsePrivateKeys(data []byte) ([]PrivateKey, error) {
	blocks, err := parsePEM(data, pemPrivateKey)
	if err != nil {
		return nil, err
	}
	list := make([]PrivateKey, 0, len(blocks))
	for i, der := range blocks {
		k, err := parsePrivateKey(der)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		list = append(list, k)
	}
	return list, nil
}

// appendCertificatePEM appends one certificate.
func appendCertificatePEM(to []byte, c *x509.Certificate) []byte {
	return append(to, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: c.Raw})...)
}
