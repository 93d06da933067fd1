// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

func TestMaxConcurrent(t *testing.T) {
	start := time.Now()
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	for name, c := range map[string]struct {
		spans []*span
		want  int
	}{
		"none":                        {nil, 0},
		"one that is over":            {[]*span{{at(0), at(1)}}, 1},
		"one after the other":         {[]*span{{at(0), at(1)}, {at(1), at(2)}}, 1},
		"two that overlap":            {[]*span{{at(0), at(2)}, {at(1), at(3)}}, 2},
		"two that are still open":     {[]*span{{from: at(0)}, {from: at(1)}}, 2},
		"one that was given up early": {[]*span{{at(0), at(-0.1)}, {at(0), at(1)}}, 1},
	} {
		if got := maxConcurrent(c.spans, at(9)); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// ask sends a provision or deprovision request, and returns the status of the answer.
func ask(t *testing.T, b *broker, method, id string) int {
	t.Helper()
	plan := b.service.Plans[0].ID
	url, body := fmt.Sprintf("%s/v2/service_instances/%s?service_id=%s&plan_id=%s", b.url, id, b.service.ID, plan), ""
	if method == http.MethodPut {
		url = b.url + "/v2/service_instances/" + id + "?accepts_incomplete=true"
		body = fmt.Sprintf(`{"service_id":%q,"plan_id":%q,"organization_guid":"o","space_guid":"s","context":{"platform":"kubernetes","namespace":"n","clusterid":"c","instance_name":"i"}}`, b.service.ID, plan)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0
	}
	request.Header = http.Header{
		"X-Broker-Api-Version": {"2.17"}, "X-Broker-Api-Request-Identity": {string(uuid.NewUUID())}, "Content-Type": {"application/json"},
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Error(err)
	}
	return response.StatusCode
}

func TestCheckHistories(t *testing.T) {
	b, err := newBroker(t.Context(), newService("database", osbtest.Behavior{}))
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	expect := func(what, want string) {
		t.Helper()
		if err := b.checkHistories(2); err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	ask(t, b, http.MethodPut, "a")
	ask(t, b, http.MethodPut, "b")
	if err := b.checkContents(2, 0); err != nil {
		t.Errorf("two are there: %v", err)
	}
	ask(t, b, http.MethodDelete, "a")
	expect("one left", "the broker has 1 instances and 0 bindings: it should have 0 and 0")
	ask(t, b, http.MethodDelete, "b")
	expect("each once", "")
	ask(t, b, http.MethodDelete, "b")
	expect("one deleted twice", "1 PUTs, 0 PATCHes and 2 DELETEs for b")
}

func TestHealedBrokersFinishTheirOperations(t *testing.T) {
	for _, mode := range failureModes {
		t.Run(mode.name, func(t *testing.T) {
			b, err := newBroker(t.Context(), newService("database", osbtest.Behavior{}))
			if err != nil {
				t.Fatal(err)
			}
			defer b.close()
			heal := mode.inject(t.Context(), b)
			defer heal()
			answered := make(chan int, 1)
			go func() { answered <- ask(t, b, http.MethodPut, "a") }()
			begun := func(context.Context) (bool, error) {
				return b.History("a").Puts == 1 && (mode.name != "unending" || len(b.Holds().Instances) == 1), nil
			}
			if err := pollUntil(t.Context(), begun); err != nil {
				t.Fatal(err)
			}
			heal()
			if status, want := <-answered, map[string]int{"unending": http.StatusAccepted}[mode.name]; status != cmp.Or(want, http.StatusCreated) {
				t.Errorf("once it is healed it answers %d", status)
			}
			if status := ask(t, b, http.MethodDelete, "a"); status != http.StatusOK {
				t.Errorf("it answers %d to a removal", status)
			}
			if err := b.checkHistories(1); err != nil {
				t.Error(err)
			}
		})
	}
}
