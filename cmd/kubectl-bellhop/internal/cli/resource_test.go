// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"slices"
	"strconv"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

type alertClient = Client[*v1beta1.Alert, *v1beta1.AlertList]

// listed is a client of the Alerts a to e, which lists as the API server does. The token of the chunk that begins at expires is too old.
type listed struct {
	alertClient
	requests []string
	expires  string
}

func (c *listed) List(_ context.Context, options metav1.ListOptions) (*v1beta1.AlertList, error) {
	c.requests = append(c.requests, options.Continue+"/"+strconv.FormatInt(options.Limit, 10))
	if options.Continue != "" && options.Continue == c.expires {
		return nil, apierrors.NewResourceExpired("too old")
	}
	list := &v1beta1.AlertList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		if name < options.Continue {
			continue
		}
		if options.Limit > 0 && int64(len(list.Items)) == options.Limit {
			list.Continue = name
			break
		}
		list.Items = append(list.Items, v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	return list, nil
}

// F-U34
func TestListsAreReadInChunks(t *testing.T) {
	byDefault := func(ctx context.Context) context.Context { return ctx }
	chunks := func(size int64) func(context.Context) context.Context {
		return func(ctx context.Context) context.Context { return WithChunkSize(ctx, size) }
	}
	for name, test := range map[string]struct {
		with     func(context.Context) context.Context
		expires  string
		requests []string
	}{
		"by default":   {byDefault, "", []string{"/500"}},
		"chunks of 2":  {chunks(2), "", []string{"/2", "c/2", "e/2"}},
		"no chunks":    {chunks(0), "", []string{"/0"}},
		"too slow":     {chunks(2), "e", []string{"/2", "c/2", "e/2", "/0"}},
		"exactly once": {chunks(5), "", []string{"/5"}},
	} {
		client := &listed{expires: test.expires}
		alerts, version, err := listChunks[*v1beta1.Alert, *v1beta1.AlertList](test.with(t.Context()), client, metav1.ListOptions{})
		if err != nil || version != "7" || !slices.Equal(Names(alerts), []string{"a", "b", "c", "d", "e"}) {
			t.Errorf("%s: %v of version %q, %v", name, Names(alerts), version, err)
		}
		if !slices.Equal(client.requests, test.requests) {
			t.Errorf("%s: %q, want %q", name, client.requests, test.requests)
		}
	}
}
