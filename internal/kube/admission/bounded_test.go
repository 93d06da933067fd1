// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gophernetes/bellhop/internal/costtest"
	"github.com/gophernetes/bellhop/internal/kube/admission"
)

var bounds = admission.NewBounds(scheme)

// serve sends a body to a bounded webhook, and returns the answer, and whether the webhook was served the whole body.
func serve(body string) (answer *httptest.ResponseRecorder, served bool) {
	answer = httptest.NewRecorder()
	bounds.Serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		read, err := io.ReadAll(r.Body)
		served = err == nil && string(read) == body
	})).ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
	return answer, served
}

func reviewOf(object string) string {
	return `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u1","object":` + object + `}}`
}

func conversionOf(objects string) string {
	return `{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1","request":{"uid":"u1","objects":[` + objects + `]}}`
}

// list is the text of n elements.
func list(n int, element string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(element+",", n), ",") + "]"
}

// F-S59: an element of three bytes becomes a whole struct, so that elements are bounded before anything is decoded.
func TestRequestsThatAreLargeOnceDecoded(t *testing.T) {
	const tooMany = " has too many elements: once decoded, all elements of a request may take 524288 bytes, and 8 for each byte of its text"
	deliveries := func(element string) string { return `{"status":{"deliveries":` + list(10_000, element) + `}}` }
	for name, c := range map[string]struct{ body, answer string }{
		"empty objects":              {reviewOf(deliveries("{}")), "request.object.status.deliveries" + tooMany},
		"null":                       {reviewOf(deliveries("null")), "request.object.status.deliveries" + tooMany},
		"values of another type":     {reviewOf(deliveries("0")), "request.object.status.deliveries" + tooMany},
		"strings":                    {reviewOf(`{"status":{"deliveries":` + list(10_000, `"],"`) + `}}`), "request.object.status.deliveries" + tooMany},
		"escapes":                    {reviewOf(`{"status":{"deliveries":` + list(10_000, `"\\"`) + `}}`), "request.object.status.deliveries" + tooMany},
		"the object before":          {`{"request":{"uid":"u1","oldObject":` + deliveries("{}") + `}}`, "request.oldObject.status.deliveries" + tooMany},
		"annotations":                {reviewOf(`{"metadata":{"annotations":{` + strings.Repeat(`"a":"",`, 10_000) + `"a":""}}}`), "request.object.metadata.annotations.a" + tooMany},
		"an escaped map":             {reviewOf(`{"metadata":{"annotation\u0073":{` + strings.Repeat(`"a":"",`, 10_000) + `"a":""}}}`), `metadata.annotation\\u0073.a` + tooMany},
		"a field that no kind has":   {reviewOf(`{"a":` + list(10_000, `""`) + `}`), "request.object.a" + tooMany},
		"many small arrays":          {reviewOf(`{"spec":{"a":` + list(3000, `{"b":[{}]}`) + `}}`), "request.object.spec.a" + tooMany},
		"parameters in an array":     {reviewOf(`{"a":[{"parameters":` + list(10_000, "{}") + `}]}`), "request.object.a.parameters" + tooMany},
		"an escaped name":            {reviewOf(`{"spec":{"parameter\u0073":` + list(10_000, "{}") + `}}`), tooMany},
		"names in an object":         {reviewOf(`{` + strings.Repeat(`"a":0,`, 10_000) + `"a":0}`), "request.object.a" + tooMany},
		"names in a spec":            {reviewOf(`{"spec":{` + strings.Repeat(`"a":0,`, 10_000) + `"a":0}}`), "request.object.spec.a" + tooMany},
		"escaped objects":            {strings.Replace(conversionOf(strings.Trim(list(1000, `{"kind":"Alert","metadata":{"name":"a"}}`), "[]")), "objects", `object\u0073`, 1), tooMany},
		"a conversion":               {conversionOf(deliveries("{}")), "request.objects.status.deliveries" + tooMany},
		"many objects":               {conversionOf(strings.Repeat("0,", 10_000) + "0"), "request.objects" + tooMany},
		"YAML in a conversion":       {conversionOf("[{}]"), "request.objects must be an object"},
		"YAML in a review":           {reviewOf("[{}]"), "request.object must be an object"},
		"YAML":                       {"a: b", "the body of the request must be a JSON object"},
		"an array":                   {" [1]", "the body of the request must be a JSON object"},
		"more depth than JSON has":   {reviewOf(`{"spec":{"parameters":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}}`), "has more than 10000 levels"},
		"a long name":                {reviewOf(`{"` + strings.Repeat("é", 10_000) + `":` + list(100_000, "0") + `}`), "é…" + tooMany},
		"an array that does not end": {`{"a":` + strings.Repeat("[0,", 10_000), "must be an object"},
	} {
		t.Run(name, func(t *testing.T) {
			answer, served := serve(c.body)
			if served || !strings.Contains(answer.Body.String(), c.answer) || answer.Body.Len() > 2000 {
				t.Fatalf("served: %t, %.2000s", served, answer.Body)
			}
			if answer.Code != http.StatusOK {
				return
			}
			if !strings.Contains(answer.Body.String(), `"uid":"u1"`) || strings.Contains(c.body, "Conversion") != strings.Contains(answer.Body.String(), `"kind":"ConversionReview"`) ||
				strings.Contains(answer.Body.String(), `"allowed":true`) || !strings.Contains(answer.Body.String(), `"status":"Failure"`) {
				t.Errorf("%s", answer.Body)
			}
		})
	}
}

// The largest objects that are legal are served.
func TestRequestsThatAreServed(t *testing.T) {
	numbers := `{"x":` + list(128<<10, "0") + `}` // 256 KiB, as instances may have in their spec, and twice in their status
	user := `{"groups":` + list(2000, `"team-123"`) + `,"extra":{"scopes.authorization.openshift.io":["user:full"]}}`
	for name, body := range map[string]string{
		"nothing":              "",
		"no JSON":              "{",
		"largest parameters":   reviewOf(`{"spec":{"parameters":` + numbers + `},"status":{"externalProperties":{"parameters":` + numbers + `},"inProgressProperties":{"parameters":` + numbers + `}}}`),
		"deep parameters":      reviewOf(`{"spec":{"parameters":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}}`),
		"metadata of a class":  reviewOf(`{"spec":{"externalMetadata":` + numbers + `}}`),
		"schemas of a plan":    reviewOf(`{"spec":{"instanceCreateParameterSchema":{"enum":` + list(20_000, "0") + `}}}`),
		"many annotations":     reviewOf(`{"metadata":{"annotations":{` + strings.Repeat(`"example.com/key":"value",`, 10_000) + `"a":""}}}`),
		"many groups":          `{"request":{"uid":"u1","userInfo":` + user + `,"object":{"spec":{"userInfo":` + user + `},"status":{"externalProperties":{"userInfo":` + user + `}}}}}`,
		"many Secrets":         reviewOf(`{"spec":{"parametersFrom":` + list(20_000, `{"secretKeyRef":{"name":"a","key":"k"}}`) + `}}`),
		"a list of Alerts":     conversionOf(strings.Trim(list(500, `{"apiVersion":"pager.k8s.co/v1beta1","kind":"Alert","spec":{"receiverRefs":`+list(16, `{"kind":"Receiver","name":"a"}`)+`}}`), "[]")),
		"instances of a group": conversionOf(`{"spec":{"instances":` + list(200, `{"key":"a"}`) + `}}`),
	} {
		if answer, served := serve(body); !served {
			t.Errorf("%s: %.2000s", name, answer.Body)
		}
	}
}

// Large requests are served in turn: those of other clients delay none of an API server, and small ones wait for nothing.
func TestLargeRequestsAreServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bounds := admission.NewBounds(scheme)
		var large, served atomic.Int32
		hook := bounds.Serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.ContentLength > 256<<10 && admission.CallerOf(r.Context()).IsAPIServer {
				if large.Add(1) > 1 {
					t.Error("two large requests of API servers are served at a time")
				}
				defer large.Add(-1)
			}
			time.Sleep(time.Second)
			served.Add(1)
		}))
		send := func(size int, caller admission.Caller) int {
			ctx, cancel := context.WithTimeout(admission.WithCaller(t.Context(), caller), 5*time.Second)
			defer cancel()
			answer := httptest.NewRecorder()
			hook.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(reviewOf(`{"a":"`+strings.Repeat("x", size)+`"}`))))
			return answer.Code
		}
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { send(1<<20, admission.Caller{}) })
		}
		for range 4 {
			all.Go(func() {
				if code := send(1<<20, admission.Caller{IsAPIServer: true}); code != http.StatusOK {
					t.Errorf("a large request of an API server: %d", code)
				}
			})
			all.Go(func() {
				if code := send(1000, admission.Caller{}); code != http.StatusOK {
					t.Errorf("a small request: %d", code)
				}
			})
		}
		time.Sleep(4500 * time.Millisecond)
		if n := served.Load(); n != 4+4+4 {
			t.Errorf("%d requests were served", n)
		}
		all.Wait()
	})
}

// A client that does not read the answer to a large request keeps no other one waiting.
func TestAnAnswerEndsTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := admission.NewBounds(scheme).Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
		request := func() *http.Request {
			return httptest.NewRequest(http.MethodPost, "/", strings.NewReader(reviewOf(`{"a":"`+strings.Repeat("x", 1<<20)+`"}`)))
		}
		ctx, cancel := context.WithCancel(t.Context())
		var stuck sync.WaitGroup
		stuck.Go(func() { hook.ServeHTTP(unread{httptest.NewRecorder(), ctx}, request()) })
		synctest.Wait()
		hook.ServeHTTP(httptest.NewRecorder(), request())
		cancel()
		stuck.Wait()
	})
}

// unread is an answer that the client does not read until a context ends.
type unread struct {
	*httptest.ResponseRecorder

	ctx context.Context //nolint:containedctx // a fixture
}

func (u unread) Write(p []byte) (int, error) {
	<-u.ctx.Done()
	return len(p), nil
}

// F-S59: large requests of one namespace delay one of another namespace by no more than one of them takes.
func TestNamespacesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := admission.NewBounds(scheme).Serve(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(time.Second) }))
		send := func(namespace string, size int) int {
			body := `{"request":{"namespace":"` + namespace + `","object":{"a":"` + strings.Repeat("x", size) + `"}}}`
			ctx := admission.WithCaller(t.Context(), admission.Caller{IsAPIServer: true})
			answer := httptest.NewRecorder()
			hook.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(body)))
			return answer.Code
		}
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() {
				if code := send("hostile", 300<<10); code != http.StatusOK && code != http.StatusServiceUnavailable {
					t.Error(code)
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		if code := send("hostile", 1<<20); code != http.StatusServiceUnavailable || time.Since(began) > 0 { // it keeps no room from others
			t.Errorf("beside 8 MiB of its namespace: %d after %s", code, time.Since(began))
		}
		if code := send("other", 6<<20); code != http.StatusOK || time.Since(began) > 3*time.Second {
			t.Errorf("of another namespace: %d after %s", code, time.Since(began))
		}
		all.Wait()
		if code := send("hostile", 6<<20); code != http.StatusOK {
			t.Errorf("afterwards: %d", code)
		}
	})
}

// Fields without a schema are free where they are, and nowhere else: they are looked for in the types.
func TestFreeFormFields(t *testing.T) {
	many := list(100_000, "[]")
	for path, free := range map[string]bool{
		"spec.parameters": true, "spec.defaultProvisionParameters": true, "spec.externalMetadata": true, "spec.instanceCreateParameterSchema": true,
		"spec.instanceUpdateParameterSchema": true, "spec.serviceBindingCreateParameterSchema": true, "status.defaultProvisionParameters": true,
		"status.externalProperties.parameters": true, "status.inProgressProperties.parameters": true,
		"parameters": false, "metadata.parameters": false, "spec.userInfo.extra.parameters": false, "spec.parameters2": false, "status.parameters": false, "spec.spec.parameters": false,
	} {
		object := many
		for _, name := range slices.Backward(strings.Split(path, ".")) {
			object = `{"` + name + `":` + object + "}"
		}
		if _, served := serve(reviewOf(object)); served != free {
			t.Errorf("%s: 100,000 elements are served: %t", path, served)
		}
		if _, served := serve(`{"request":` + object + "}"); served {
			t.Errorf("%s is served beside the object", path)
		}
	}
}

// F-S59: what a request allocates before it is refused.
func TestTheCostOfABody(t *testing.T) {
	for name, shape := range map[string]func(n int) string{
		"elements": func(n int) string { return conversionOf(`{"a":` + list(n/3, "{}") + `}`) },
		"arrays in objects": func(n int) string {
			return conversionOf(strings.Repeat(`{"a":[],"b":"`+strings.Repeat("x", 40)+`"},`, n/60) + "0")
		},
		"depth":     func(n int) string { return reviewOf(strings.Repeat(`{"a":`, min(n/10, 9000)) + "1") },
		"one name":  func(n int) string { return reviewOf(`{"` + strings.Repeat("k", n) + `":1}`) },
		"free form": func(n int) string { return reviewOf(`{"spec":{"parameters":` + list(n/2, "0") + `}}`) },
		"deep fields that are not free": func(n int) string {
			return reviewOf(`{"a":[` + strings.Repeat(`{"a":`, 9000) + "{" + strings.Repeat(`"parameters":{},`, n/16))
		},
	} {
		t.Run(name, func(t *testing.T) {
			costtest.Linear(t, 2<<20, shape, func(body string) { serve(body) })
			body := shape(4 << 20)
			if cost := costtest.Of(func() { serve(body) }); cost.Bytes > 16*uint64(len(body))+4<<20 {
				t.Errorf("%d bytes take %d", len(body), cost.Bytes)
			}
		})
	}
}
