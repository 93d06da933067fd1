// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"maps"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

func TestValidateArgsOfWatch(t *testing.T) {
	for line, want := range map[string]string{
		"deploy/orders": "",
		"deploy/orders job.batch/x --to=oncall,crcv/chat --after=24h": "",
		"deploy/orders --after=0s --severity=critical":                "",
		"":                                         "such as deployment/orders",
		"deploy orders":                            "such as deployment/orders",
		"deploy/":                                  "such as deployment/orders",
		"deploy/orders/x":                          "such as deployment/orders",
		"deploy/orders --after=25h":                `--after: annotation pager.k8s.co/page-after-seconds is "90000"`,
		"deploy/orders --after=-1s":                "from 0 to 86400",
		"deploy/orders --after=2562047h":           "from 0 to 86400",
		"deploy/orders --to=Big_Name":              `--to: annotation pager.k8s.co/receivers is "receiver/Big_Name"`,
		"deploy/orders --to=":                      `--to: annotation pager.k8s.co/receivers is ""`,
		"deploy/orders --to=secret/x":              "must be receiver or clusterreceiver",
		"deploy/orders --severity=high":            "must be Info, Warning or Critical",
		"deploy/orders --dry-run=maybe":            "must be none, client or server",
		"x/y --to=" + strings.Repeat("a,", 17)[1:]: `receiver "" has no name`,
	} {
		cmd := newWatch(cli.New(genericiooptions.NewTestIOStreamsDiscard()))
		err := cmd.ParseFlags(strings.Fields(line))
		if err == nil {
			err = cmd.ValidateArgs(cmd.Flags().Args())
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
}

func TestSetWatched(t *testing.T) {
	deleted := metav1.Now()
	after := []watchOption{{"after", v1beta1.PageAfterAnnotation, "60"}}
	for name, test := range map[string]struct {
		object  metav1.ObjectMeta
		options []watchOption
		want    map[string]string
		err     string
	}{
		"without options": {metav1.ObjectMeta{}, nil, nil, ""},
		"with one": {metav1.ObjectMeta{Annotations: map[string]string{"other": "x", v1beta1.PageSeverityAnnotation: "Info"}}, after,
			map[string]string{"other": "x", v1beta1.PageSeverityAnnotation: "Info", v1beta1.PageAfterAnnotation: "60"}, ""},
		"that replaces a wrong one": {metav1.ObjectMeta{Annotations: map[string]string{v1beta1.PageAfterAnnotation: "1m"}}, after, map[string]string{v1beta1.PageAfterAnnotation: "60"}, ""},
		"beside a wrong one": {metav1.ObjectMeta{Annotations: map[string]string{v1beta1.PageSeverityAnnotation: "high"}}, after,
			map[string]string{v1beta1.PageSeverityAnnotation: "high", v1beta1.PageAfterAnnotation: "60"}, `pager.k8s.co/severity is "high"`},
		"of a deleted object": {metav1.ObjectMeta{DeletionTimestamp: &deleted}, nil, nil, "is being deleted"},
	} {
		err := setWatched(&test.object, "Deployment", test.options)
		if test.object.Labels[v1beta1.PageLabel] != "true" || !maps.Equal(test.object.Annotations, test.want) {
			t.Errorf("%s: %v, %v", name, test.object.Labels, test.object.Annotations)
		}
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, want %q", name, err, test.err)
		}
	}
}

func TestRemoveWatched(t *testing.T) {
	object := &unstructured.Unstructured{Object: map[string]any{}}
	if err := setWatched(object, "Deployment", []watchOption{
		{"to", v1beta1.PageReceiversAnnotation, "oncall"}, {"after", v1beta1.PageAfterAnnotation, "60"}, {"severity", v1beta1.PageSeverityAnnotation, "Info"}, {"", "other", "x"},
	}); err != nil {
		t.Fatal(err)
	}
	if err := removeWatched(object); err != nil || len(object.GetLabels()) > 0 || !maps.Equal(object.GetAnnotations(), map[string]string{"other": "x"}) {
		t.Errorf("%v, %v", err, object.Object)
	}
	bare := &unstructured.Unstructured{Object: map[string]any{}}
	if err := removeWatched(bare); err != nil || len(bare.Object) > 0 {
		t.Errorf("%v, %v", err, bare.Object)
	}
}
