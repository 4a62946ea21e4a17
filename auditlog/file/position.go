package file

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// position is where reading goes on: in which file, and behind what. An inode is used
// again after a file is deleted, so how the file begins tells as well.
type position struct {
	Version int    `json:"v"`
	Inode   uint64 `json:"inode"`
	Offset  int64  `json:"offset"`
	// Head is a digest of the first HeadSize bytes.
	Head     string `json:"head"`
	HeadSize int64  `json:"head_size"`
}

const (
	positionVersion = 1
	// maxHead is how much of the beginning tells files apart: timestamp and insert id
	// of the first entry are in it.
	maxHead = 1024
	// maxPosition is what is read of one: it has less than 200 bytes.
	maxPosition = 1024
)

func (p position) encode() string {
	text, err := json.Marshal(p)
	if err != nil { // it has numbers and hex digits only
		return ""
	}
	return string(text)
}

// decodePosition reads what encode wrote. Empty is the beginning of any file.
func decodePosition(text string) (position, error) {
	if text == "" {
		return position{}, nil
	}
	if len(text) > maxPosition {
		return position{}, fmt.Errorf("%d bytes", len(text))
	}
	var p position
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return position{}, err
	}
	if p.Version != positionVersion {
		return position{}, fmt.Errorf("version %d, not %d", p.Version, positionVersion)
	}
	if p.Offset < 0 || p.HeadSize < 0 || p.HeadSize > min(maxHead, p.Offset) {
		return position{}, errors.New("numbers that no file has")
	}
	return p, nil
}

// head is the digest of how a file begins.
func head(r io.ReaderAt, size int64) (string, error) {
	data := make([]byte, size)
	if _, err := r.ReadAt(data, 0); err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8]), nil
}
