// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// TestWhatOutcomesMeanForOthers: only who does not answer, or says that it cannot, is
// taken for down.
func TestWhatOutcomesMeanForOthers(t *testing.T) {
	failed, wrong := limiter.Result{Outcome: limiter.Unavailable}, limiter.Result{Outcome: limiter.Refused}
	for why, c := range map[string]struct {
		outcome osbresult.Outcome
		want    limiter.Result
	}{
		"done":                     {osbresult.Outcome{Class: osbresult.Done, Status: 200, Sent: true}, limiter.Result{}},
		"refused":                  {osbresult.Outcome{Class: osbresult.Rejected, Status: 400, Sent: true}, wrong},
		"not with these":           {osbresult.Outcome{Class: osbresult.Retry, Status: 401, Sent: true}, wrong},
		"begun":                    {osbresult.Outcome{Class: osbresult.Accepted, Status: 202, Sent: true}, limiter.Result{}},
		"F-JS14 gone":              {osbresult.Outcome{Class: osbresult.Gone, Status: 410, Sent: true}, wrong},
		"not there":                {osbresult.Outcome{Class: osbresult.Gone, Status: 404, Sent: true}, limiter.Result{}},
		"its own mistake":          {osbresult.Outcome{Class: osbresult.Unknown, Status: 500, Sent: true}, wrong},
		"its own, and no effect":   {osbresult.Outcome{Class: osbresult.Retry, Status: 500, Sent: true}, wrong},
		"what makes no sense":      {osbresult.Outcome{Class: osbresult.Malformed, Status: 200, Sent: true}, limiter.Result{Outcome: limiter.Misconfigured}},
		"F-R12 not allowed":        {osbresult.Outcome{Class: osbresult.Misconfigured, Status: 403, Sent: true}, limiter.Result{Outcome: limiter.Misconfigured}},
		"F-R12 credentials":        {osbresult.Outcome{Class: osbresult.Misconfigured, Status: 401, Sent: true}, limiter.Result{Outcome: limiter.Unauthorized}},
		"F-R12 no such host":       {osbresult.Outcome{Class: osbresult.Misconfigured}, limiter.Result{Outcome: limiter.Misconfigured}},
		"a body that is no JSON":   {osbresult.Outcome{Class: osbresult.Unknown, Status: 201, Sent: true}, wrong},
		"a body that has no end":   {osbresult.Outcome{Class: osbresult.Unknown, Status: 201, Sent: true, Incomplete: true}, failed},
		"an error that has no end": {osbresult.Outcome{Class: osbresult.Retry, Status: 422, Sent: true, Incomplete: true}, failed},
		"no answer":                {osbresult.Outcome{Class: osbresult.Unknown, Sent: true}, failed},
		"no connection":            {osbresult.Outcome{Class: osbresult.Retry}, failed},
		"its gateway's words":      {osbresult.Outcome{Class: osbresult.Unknown, Status: 502, Sent: true}, failed},
		"not now":                  {osbresult.Outcome{Class: osbresult.Retry, Status: 503, Sent: true}, failed},
		"fewer, please":            {osbresult.Outcome{Class: osbresult.Retry, Status: 429, Sent: true}, limiter.Result{Outcome: limiter.Throttled, RetryAfter: time.Second}},
		"not for a minute":         {osbresult.Outcome{Class: osbresult.Retry, Status: 429, Sent: true, RetryAfter: time.Minute}, limiter.Result{Outcome: limiter.Throttled, RetryAfter: time.Minute}},
		"what cannot be sent":      {osbresult.Outcome{Class: osbresult.Rejected}, limiter.Result{Outcome: limiter.NotSent}},
	} {
		if got := ResultOf(c.outcome); got != c.want {
			t.Errorf("%s: %+v instead of %+v", why, got, c.want)
		}
	}
}

// TestABrokerThatNeverEndsIsDown: three answers without an end are as good as none.
func TestABrokerThatNeverEndsIsDown(t *testing.T) {
	server := osbtest.Start(t, osbtest.Options{})
	client, err := osb.NewClient(osb.Options{
		URL: server.URL, Guard: outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil),
		Outbound: outbound.Options{Timeout: time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	now, endpoint := time.Now(), &limiter.Limiter{}
	for _, status := range []int{201, 200, 422} {
		server.Inject(osbtest.Fault{Times: 1, Answer: osbtest.Drip(status, 20*time.Millisecond)})
		leave, _ := endpoint.Enter(limiter.Request{ID: status}, now)
		if leave == nil {
			t.Fatalf("before %d it was down", status)
		}
		_, out := client.Provision(t.Context(), osb.ProvisionRequest{
			Params: osb.Params{InstanceID: "i", ServiceID: "s", PlanID: "p"}, OrganizationGUID: "c", SpaceGUID: "s",
			Context: osb.Context{Namespace: "ns", ClusterID: "c", InstanceName: "i"},
		})
		if out.Status != status || !out.Incomplete {
			t.Fatalf("%d: %+v", status, out)
		}
		leave(now, ResultOf(out))
	}
	if cause := endpoint.Blocked("", now); cause != limiter.Down {
		t.Errorf("it is %q", cause)
	}
}
