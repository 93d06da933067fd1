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

package operator

import (
	"slices"
	"strings"

	uberzap "go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// QuietStart leaves out of the log, at the level info, what controller-runtime says of each controller, watch and webhook as it starts, and what
// client-go calls an error of the leader election where another replica was faster. With --zap-log-level=debug it is there.
func QuietStart() zap.Opts {
	return zap.RawZapOpts(uberzap.WrapCore(func(core zapcore.Core) zapcore.Core { return quiet{core} }))
}

// quiet is a core without routine messages.
type quiet struct{ zapcore.Core }

// With returns a quiet core with fields.
func (q quiet) With(fields []zapcore.Field) zapcore.Core { return quiet{q.Core.With(fields)} }

// Check adds the core to a message's cores, if it writes the message.
func (q quiet) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	switch {
	case e.Level == zapcore.InfoLevel && isRoutine(e) && !q.Enabled(zapcore.DebugLevel):
		return checked
	case e.Level == zapcore.ErrorLevel && e.LoggerName == "leaderelection":
		return checked.AddCore(e, q) // its error decides
	}
	return q.Core.Check(e, checked)
}

// Write writes a message of the leader election.
func (q quiet) Write(e zapcore.Entry, fields []zapcore.Field) error {
	for _, f := range fields {
		if err, ok := f.Interface.(error); ok && (apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err)) {
			e.Level = zapcore.DebugLevel
		}
	}
	if !q.Enabled(e.Level) {
		return nil
	}
	return q.Core.Write(e, fields)
}

// isRoutine reports whether a message is about the start of a part that always starts.
func isRoutine(e zapcore.Entry) bool {
	return strings.HasPrefix(e.LoggerName, "controller-runtime.") ||
		slices.Contains([]string{"Starting EventSource", "Starting Controller", "Starting workers", "starting server"}, e.Message)
}
