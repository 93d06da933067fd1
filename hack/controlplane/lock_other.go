//go:build !darwin && !linux

package main

import "os"

// lock makes the cache folder. Without a lock two processes may build the same program; each gives it its name when it is
// complete, so all that is lost is time.
func (f *finder) lock() (unlock func(), err error) {
	return func() {}, os.MkdirAll(f.cache, 0o755)
}
