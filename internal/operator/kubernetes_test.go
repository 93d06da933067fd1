// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/gophernetes/bellhop/internal/version"
)

// F-U17
func TestReportOldServer(t *testing.T) {
	var status int
	var gitVersion string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"gitVersion": %q}`, gitVersion)
	}))
	t.Cleanup(server.Close)
	for _, test := range []struct {
		status     int
		gitVersion string
		want       string // what the log has
	}{
		{http.StatusOK, "v1.30.14", `"Kubernetes is older than the oldest supported version","version":"v1.30.14","oldest":"` + version.OldestKubernetes + `"`},
		{http.StatusOK, "v" + version.OldestKubernetes + ".0", ""},
		{http.StatusForbidden, "v1.30.14", ""},
	} {
		status, gitVersion = test.status, test.gitVersion
		var log bytes.Buffer
		ctx := ctrl.LoggerInto(t.Context(), zap.New(zap.WriteTo(&log)))
		if err := reportOldServer(ctx, &rest.Config{Host: server.URL}, server.Client()); err != nil {
			t.Fatal(err)
		}
		if got := log.String(); !strings.Contains(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%d, %s: %s", test.status, test.gitVersion, got)
		}
	}
}
