/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package suite

import (
	"github.com/onsi/ginkgo/v2"

	"github.com/gophernetes/bellhop/test/internal/output"
)

// Log is what the operator printed since the spec began: of storms there is much, at the
// highest level.
type Log struct{ output.Buffer }

// Reset is for BeforeEach.
func (l *Log) Reset() { l.Take() }

// Report is for AfterEach: of a spec that failed it shows the end.
func (l *Log) Report() {
	if ginkgo.CurrentSpecReport().Failed() {
		s := l.String()
		ginkgo.AddReportEntry("operator log", s[max(0, len(s)-8000):])
	}
}
