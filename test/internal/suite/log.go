// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"io"
	"os"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"github.com/gophernetes/bellhop/test/internal/panics"
)

// Log is what the operators printed since the spec began. It is a file, so that all Ginkgo processes can read it.
type Log struct {
	path string
	file *os.File // of the process that runs the operator
	from int64
}

func (l *Log) create(path string) (err error) {
	l.path = path
	l.file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ginkgo.DeferCleanup(func() error { return l.file.Close() })
	return err
}

func (l *Log) Write(p []byte) (int, error) { return l.file.Write(p) }

// String returns what was printed since the last Reset.
func (l *Log) String() string {
	ginkgo.GinkgoHelper()
	file, err := os.Open(l.path)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	defer file.Close()
	_, err = file.Seek(l.from, io.SeekStart)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	text, err := io.ReadAll(file)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return string(text)
}

// Lines returns the lines that contain all of the texts. Other specs run at the same time, so one of the texts has to be a name that
// only this spec uses.
func (l *Log) Lines(texts ...string) []string {
	ginkgo.GinkgoHelper()
	var lines []string
	for line := range strings.Lines(l.String()) {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			lines = append(lines, line)
		}
	}
	return lines
}

// Reset is for BeforeEach: from here on the log has what is printed.
func (l *Log) Reset() {
	ginkgo.GinkgoHelper()
	info, err := os.Stat(l.path)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	l.from = info.Size()
}

// Report is for AfterEach: it adds the end of the log to the report of a failed spec.
// Report adds the log to the report of a spec that failed. A spec fails if the operator panicked during it, whatever it asserted.
func (l *Log) Report() {
	ginkgo.GinkgoHelper()
	defer func() { gomega.Expect(panics.Lines(l.String(), false)).To(gomega.BeEmpty(), "panics of the operator") }()
	if ginkgo.CurrentSpecReport().Failed() {
		s := l.String()
		ginkgo.AddReportEntry("operator log", s[max(0, len(s)-8000):])
	}
}
