package scan

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// flight is memory that parent and worker share: one slot per goroutine with the
// path it is reading. When a worker dies the parent knows which files were in
// flight, and it costs the worker no system call.
type flight struct {
	file *os.File
	mem  []byte
}

const (
	flightSlots = 256
	flightSlot  = 8 << 10 // a length and a path
)

// newFlight makes the memory, in the parent.
func newFlight() (*flight, error) {
	fd, err := unix.MemfdCreate("flight", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("share memory with the worker: %w", err)
	}
	f := os.NewFile(uintptr(fd), "flight")
	if err := f.Truncate(flightSlots * flightSlot); err != nil {
		f.Close()
		return nil, fmt.Errorf("share memory with the worker: %w", err)
	}
	return &flight{file: f}, nil
}

// openFlight maps the memory, in the worker.
func openFlight(f *os.File) (*flight, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, flightSlots*flightSlot, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map memory shared with the parent: %w", err)
	}
	return &flight{mem: mem}, nil
}

func (f *flight) begin(slot int, path string) {
	if f == nil {
		return
	}
	s := f.mem[slot*flightSlot : (slot+1)*flightSlot]
	n := copy(s[4:], path)
	binary.LittleEndian.PutUint32(s, uint32(n))
}

func (f *flight) end(slot int) {
	if f != nil {
		binary.LittleEndian.PutUint32(f.mem[slot*flightSlot:], 0)
	}
}

// paths reads what was in flight, in the parent. The worker may have written
// anything.
func (f *flight) paths() []string {
	buf := make([]byte, flightSlots*flightSlot)
	if _, err := f.file.ReadAt(buf, 0); err != nil {
		return nil
	}
	var paths []string
	for i := range flightSlots {
		s := buf[i*flightSlot : (i+1)*flightSlot]
		n := binary.LittleEndian.Uint32(s)
		if n > 0 && n <= flightSlot-4 {
			paths = append(paths, string(s[4:4+n]))
		}
	}
	return paths
}

func (f *flight) close() { f.file.Close() }
