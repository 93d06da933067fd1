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

package endpoints

import (
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// F-P23: all panics of a provider are logged with their stack, and without their text, which may have the content of a message.
func TestPanicsAreLoggedWithTheirStack(t *testing.T) {
	var said strings.Builder
	ctx := log.IntoContext(t.Context(), funcr.New(func(_, line string) { said.WriteString(line) }, funcr.Options{}))
	func() {
		defer func() {
			if failure := FailureOfPanic(ctx, v1beta1.ReceiverRef{Name: "oncall"}, recover()); failure == nil {
				t.Error("it is no failure")
			}
		}()
		panic("the content of a message")
	}()
	if line := said.String(); !strings.Contains(line, "TestPanicsAreLoggedWithTheirStack") || strings.Contains(line, "the content") {
		t.Error(line)
	}
}
