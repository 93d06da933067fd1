// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gophernetes/bellhop/test/faults/proxy"
)

const (
	realClock     = "clock.RealClock{}"
	clockImport   = "\t\"k8s.io/utils/clock\"\n"
	shiftedImport = "\t\"github.com/gophernetes/bellhop/internal/shiftedclock\"\n"
)

// shiftedClock is the source of the clock of an operator under test. It reads by how much the time of day is shifted from a file, each time. The
// monotonic reading stays, as where an administrator sets the clock: of a time with such a reading, bits 30 to 62 of the first word are the seconds.
const shiftedClock = `package shiftedclock

import (
	"os"
	"time"
	"unsafe"

	"k8s.io/utils/clock"
)

type Clock struct{ clock.RealClock }

func (Clock) Now() time.Time { return shift(time.Now()) }

func (c Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

func shift(t time.Time) time.Time {
	text, err := os.ReadFile(os.Getenv("` + proxy.ClockVariable + `"))
	if err != nil {
		return t
	}
	by, err := time.ParseDuration(string(text))
	if err != nil {
		panic(err)
	}
	*(*uint64)(unsafe.Pointer(&t)) += uint64(int64(by/time.Second)) << 30
	return t
}
`

// shiftClocks replaces the clock in the sources of the operator. sources has the files that are edited already, by their paths.
func shiftClocks(repo string, sources map[string]string) error {
	found := false
	for _, root := range []string{"controllers", "internal", "webhooks"} {
		err := filepath.WalkDir(filepath.Join(repo, root), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, isEdited := sources[path]
			if !isEdited {
				content, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				text = string(content)
			}
			if !strings.Contains(text, realClock) {
				return nil
			}
			found = true
			text = strings.ReplaceAll(text, realClock, "shiftedclock.Clock{RealClock: "+realClock+"}")
			sources[path] = strings.Replace(text, clockImport, clockImport+shiftedImport, 1)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if !found {
		return errors.New("no source has " + realClock)
	}
	sources[filepath.Join(repo, "internal", "shiftedclock", "clock.go")] = shiftedClock
	return nil
}
