// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"fmt"
	"os"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
)

// hack/test.sh prints the slowest specs, and how long each suite took to start, from the file that TEST_TIMES names. Suites that run at the
// same time append to it, each with one write.
var _ = ginkgo.ReportAfterSuite("the times of specs", func(report ginkgo.Report) {
	path := os.Getenv("TEST_TIMES")
	if path == "" {
		return
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = file.WriteString(times(report))
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		ginkgo.Fail("writing the times of specs: " + err.Error())
	}
})

// times returns a line for each node that ran: what it is, its seconds, its suite, and its text.
func times(report ginkgo.Report) string {
	var lines strings.Builder
	for _, node := range report.SpecReports {
		kind := "spec"
		switch {
		case node.State.Is(types.SpecStateSkipped | types.SpecStatePending):
			continue
		case node.LeafNodeType.Is(types.NodeTypeBeforeSuite | types.NodeTypeSynchronizedBeforeSuite):
			kind = "start"
		case !node.LeafNodeType.Is(types.NodeTypeIt):
			continue
		}
		fmt.Fprintf(&lines, "%s\t%.1f\t%s\t%s\n", kind, node.RunTime.Seconds(), report.SuiteDescription, node.FullText())
	}
	return lines.String()
}
