// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/hack/local"
)

// Why a shift of the time of day does not matter where it is read.
const (
	measures  = "measures with the monotonic clock, which goes on"
	deadline  = "a deadline of a connection, which net compares by the monotonic clock"
	displayed = "is displayed, and decides nothing"
	forTests  = "a server for tests"
)

// timeOfDay are the files of the operator that read this machine's time, and why the class time need not shift it there.
var timeOfDay = map[string]string{
	"controllers/pager/health/controller.go":              measures,
	"controllers/pager/health/objects.go":                 "whether the initial list has an object that was created since the start: an Alert that a shift misses comes with its next event",
	"controllers/pager/health/warnings.go":                measures,
	"controllers/pager/metrics.go":                        displayed,
	"controllers/pager/setup.go":                          "until the first response of the API server",
	"controllers/servicecatalog/authsecret/controller.go": measures,
	"internal/httpserver/bounded.go":                      deadline,
	"internal/httpserver/limits/bound.go":                 measures,
	"internal/httpserver/limits/limits.go":                measures,
	"internal/kube/apiserver/clock.go":                    measures,
	"internal/kube/certificates/certificates.go":          "whether a certificate is due, which the suite certificates tests with a clock of its own; the runs share one",
	"internal/kube/guard/status.go":                       displayed,
	"internal/kube/secrets/polled.go":                     measures,
	"internal/outbound/limiter/tenant.go":                 measures,
	"internal/outbound/limiter/timer.go":                  measures,
	"internal/pager/controllertest/cluster.go":            forTests,
	"internal/pager/ingest/access.go":                     measures,
	"internal/pager/notify/email/session.go":              deadline,
	"internal/pager/notify/http.go":                       "the time in a signature, which a receiver checks, and Retry-After",
	"internal/pager/notify/notifytest/alertmanager.go":    forTests,
	"internal/pager/notify/notifytest/smtp.go":            forTests,
	"internal/servicecatalog/osb/client.go":               "measures, and until when a token or a Retry-After with a date holds: then it is retried",
	"internal/servicecatalog/osb/osbtest/broker.go":       forTests,
	"webhooks/servicecatalog/setup.go":                    "a part of new ids, in which it must only differ",
}

// The time of day comes from a clock that the class time can shift, but for the list: no file is missing in it, and none too many.
func TestTimeOfDayIsThatOfAClock(t *testing.T) {
	repo, err := local.FindRepo()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, root := range []string{"main.go", "api", "controllers", "internal", "webhooks"} {
		err := filepath.WalkDir(filepath.Join(repo, root), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err == nil && readsTimeOfDay(file) {
				name, _ := filepath.Rel(repo, path)
				found[name] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name := range found {
		if timeOfDay[name] == "" {
			t.Errorf("%s reads this machine's time: have it use a clock.Clock, or add it to the list with the reason", name)
		}
	}
	for name := range timeOfDay {
		if !found[name] {
			t.Errorf("%s does not read this machine's time any more: remove it from the list", name)
		}
	}
}

// readsTimeOfDay reports whether a file uses time.Now, time.Since, time.Until or metav1.Now.
func readsTimeOfDay(file *ast.File) (found bool) {
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			of, _ := s.X.(*ast.Ident)
			name := s.Sel.Name
			found = found || of != nil && (of.Name == "time" && (name == "Now" || name == "Since" || name == "Until") || of.Name == "metav1" && name == "Now")
		}
		return true
	})
	return found
}
