package source

import (
	"io"

	"github.com/klauspost/compress/zlib"
)

// zlibStream is a streaming reader that is kept for the next stream.
type zlibStream struct{ r io.ReadCloser }

func (z *zlibStream) reset(from io.Reader) (io.Reader, error) {
	if z.r == nil {
		r, err := zlib.NewReader(from)
		if err != nil {
			return nil, err
		}
		z.r = r
		return r, nil
	}
	if err := z.r.(zlib.Resetter).Reset(from, nil); err != nil {
		return nil, err
	}
	return z.r, nil
}
