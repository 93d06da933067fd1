// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	authenticationv1client "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/httpserver"
	"github.com/gophernetes/bellhop/internal/kube/reviews"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/outbound/versioned"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
	"github.com/gophernetes/bellhop/internal/pager/ingest/endpoint"
)

const (
	sourcePath = "/v1/namespaces/shop/alertsources/prometheus"
	alertsPath = sourcePath + "/api/v2/alerts"
	oneAlert   = `[{"labels":{"alertname":"DiskFull","node":"a"},"annotations":{"summary":"The disk is full"}}]`
	// A token has the form of a JSON Web Token, which the API server reviews.
	robot, stranger = "robot.of.shop", "stranger.of.none"
)

// server is a handler with an API server that is a fake.
type server struct {
	ctx     context.Context //nolint:containedctx // the test's
	handler *Handler
	api     client.Client
}

// serverClock is the clock of an API server, which is known for a day.
type serverClock struct{ now, last func() time.Time }

func (c serverClock) Now() time.Time  { return c.now() }
func (c serverClock) Last() time.Time { return c.last() }

func (c serverClock) KnownFor() time.Duration {
	if c.now().IsZero() {
		return 0
	}
	return 24 * time.Hour
}

func clockAt(now, last time.Time) serverClock {
	return serverClock{now: func() time.Time { return now }, last: func() time.Time { return last }}
}

func newServer(t *testing.T, funcs interceptor.Funcs) *server {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1beta1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	api := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1beta1.AlertSource{}).WithInterceptorFuncs(funcs).WithObjects(
		&v1beta1.AlertSource{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "prometheus"},
			Spec:       v1beta1.AlertSourceSpec{SecretRef: &v1beta1.SecretReference{Name: "senders"}, GroupBy: []string{"alertname"}, MaxAlerts: 200},
		},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "senders"}, Data: map[string][]byte{endpoint.TokenKey: []byte("s3cret\n")}},
	).Build()
	access := &Access{Secrets: watched{Reader: api}, Live: api, tokens: reviewer{}, authorizer: authorizer.AuthorizerFunc(reviewer{}.authorize), shared: versioned.NewCache[types.NamespacedName, *sharedTokens](), unknown: newUnknownTokens()}
	now := clocktesting.NewFakePassiveClock(time.Unix(1_800_000_000, 0))
	store := &Store{Cache: api, Live: api, Client: api, Times: Times{Server: serverClock{now: now.Now, last: now.Now}, Clock: now}, Recorder: &events.FakeRecorder{Events: make(chan string, 100)}}
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	sources := func(ctx context.Context, name types.NamespacedName) (*v1beta1.AlertSource, error) {
		s := &v1beta1.AlertSource{}
		if err := api.Get(ctx, name, s); err != nil {
			return nil, client.IgnoreNotFound(err)
		}
		return s, nil
	}
	return &server{ctx: t.Context(), handler: newHandler(sources, access, store, m), api: api}
}

// watched are Secrets of which the API server shows the last version.
type watched struct {
	client.Reader
	secrets.Watched
}

// reviewer knows the robot, who may post to shop/prometheus and shop/other, and a stranger, who may not.
type reviewer struct{}

func (reviewer) AuthenticateToken(_ context.Context, token string) (*authenticator.Response, bool, error) {
	switch token {
	case robot, stranger:
		return &authenticator.Response{User: &user.DefaultInfo{Name: token}}, true, nil
	case "server.is.away":
		return nil, false, errors.New("no route to host")
	}
	return nil, false, nil
}

func (reviewer) authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	asked := strings.Join([]string{a.GetVerb(), a.GetAPIGroup(), a.GetResource(), a.GetSubresource(), a.GetNamespace(), a.GetName()}, " ")
	if a.GetUser().GetName() == robot && (asked == "create pager.k8s.co alertsources ingest shop prometheus" || asked == "create pager.k8s.co alertsources ingest shop other") {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

func (s *server) post(path, authorization, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(s.ctx, http.MethodPost, path, strings.NewReader(body))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

func (s *server) titles(t *testing.T) (titles []string) {
	t.Helper()
	var alerts v1beta1.AlertList
	if err := s.api.List(t.Context(), &alerts); err != nil {
		t.Fatal(err)
	}
	for _, a := range alerts.Items {
		titles = append(titles, a.Spec.Title)
	}
	return titles
}

func TestWhoMayPost(t *testing.T) {
	basic := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody)
	basic.SetBasicAuth("prometheus", "s3cret")
	for name, test := range map[string]struct {
		path, authorization string
		code                int
		says                string
	}{
		"nobody":                               {alertsPath, "", http.StatusUnauthorized, "the header Authorization has no bearer token"},
		"an unknown scheme":                    {alertsPath, "Digest s3cret", http.StatusUnauthorized, "the header Authorization has no bearer token"},
		"the token of the Secret":              {alertsPath, "Bearer s3cret", http.StatusOK, ""},
		"the password of basic authentication": {alertsPath, basic.Header.Get("Authorization"), http.StatusOK, ""},
		"another token":                        {alertsPath, "Bearer guess", http.StatusUnauthorized, "not that of the AlertSource"},
		"a part of the token":                  {alertsPath, "Bearer s3cre", http.StatusUnauthorized, "not that of the AlertSource"},
		"a ServiceAccount that may":            {alertsPath, "Bearer " + robot, http.StatusOK, ""},
		"a ServiceAccount that may not":        {alertsPath, "Bearer " + stranger, http.StatusForbidden, "there is no AlertSource prometheus in namespace shop, or the user stranger.of.none may not"},
		"an unknown ServiceAccount":            {alertsPath, "Bearer un.known.token", http.StatusUnauthorized, "not of a ServiceAccount for the audience bellhop"},
		"the API server is away":               {alertsPath, "Bearer server.is.away", http.StatusServiceUnavailable, "the token cannot be reviewed"},
		"a source that does not exist":         {"/v1/namespaces/shop/alertsources/other/webhook", "Bearer " + robot, http.StatusForbidden, "there is no AlertSource other in namespace shop, or the user robot.of.shop may not"},
		"the token of another source's Secret": {"/v1/namespaces/shop/alertsources/other/webhook", "Bearer s3cret", http.StatusUnauthorized, "not that of the AlertSource"},
		"a source of another namespace":        {"/v1/namespaces/else/alertsources/prometheus/webhook", "Bearer s3cret", http.StatusUnauthorized, "not that of the AlertSource"},
		"a path that does not exist":           {sourcePath + "/api/v1/alerts", "Bearer s3cret", http.StatusNotFound, ""},
		"the status, without a token":          {sourcePath + "/api/v2/status", "", http.StatusMethodNotAllowed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			body := oneAlert
			if strings.HasSuffix(test.path, "webhook") {
				body = "{}"
			}
			w := newServer(t, interceptor.Funcs{}).post(test.path, test.authorization, body)
			if w.Code != test.code || !strings.Contains(w.Body.String(), test.says) {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, test.code, test.says)
			}
			if isBusy := w.Code == http.StatusServiceUnavailable; (w.Header().Get("Retry-After") != "") != isBusy {
				t.Errorf("Retry-After is %q", w.Header().Get("Retry-After"))
			}
			if strings.Contains(w.Body.String(), "s3cret") {
				t.Errorf("the answer has the token: %s", w.Body)
			}
		})
	}
}

// F-U40: results of reviews are kept under what was asked, and a client with any valid token would choose the names: nothing is asked about a
// source that does not exist.
func TestRightsAreReviewedOfSourcesThatExist(t *testing.T) {
	s, asked := newServer(t, interceptor.Funcs{}), 0
	s.handler.access.authorizer = authorizer.AuthorizerFunc(func(ctx context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
		asked++
		return reviewer{}.authorize(ctx, a)
	})
	for _, name := range []string{"other", strings.Repeat("a", 8<<10), "a%2Fb", "PROMETHEUS"} {
		for _, namespace := range []string{"shop", strings.Repeat("b", 8<<10)} {
			if w := s.post("/v1/namespaces/"+namespace+"/alertsources/"+name+"/webhook", "Bearer "+robot, "{}"); w.Code != http.StatusForbidden {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}
	}
	if asked != 0 {
		t.Errorf("%d reviews of sources that do not exist", asked)
	}
	if w := s.post(alertsPath, "Bearer "+stranger, oneAlert); w.Code != http.StatusForbidden || asked != 1 {
		t.Errorf("%d %s, %d reviews", w.Code, w.Body, asked)
	}
}

// Without a watch of Secrets, a token that replaced the former one is known at its first post, and the posts of strangers do not cause a read each.
func TestATokenThatWasReplacedIsReadAtItsFirstPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		s := newServer(t, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			if _, isMetadata := o.(*metav1.PartialObjectMetadata); isMetadata {
				reads++
			}
			return c.Get(ctx, key, o, options...)
		}})
		s.handler.access.Secrets = secrets.NewPolled(s.api, s.api)
		post := func(token string, code int) {
			t.Helper()
			if w := s.post(alertsPath, "Bearer "+token, oneAlert); w.Code != code {
				t.Errorf("%s: %d %s, want %d", token, w.Code, w.Body, code)
			}
		}
		post("s3cret", http.StatusOK)
		var secret corev1.Secret
		if err := s.api.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "senders"}, &secret); err != nil {
			t.Fatal(err)
		}
		secret.Data[endpoint.TokenKey] = []byte("new")
		if err := s.api.Update(t.Context(), &secret); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		post("new", http.StatusOK)
		for range 100 {
			post("stranger", http.StatusServiceUnavailable)
		}
		if reads != 2 {
			t.Errorf("%d reads, want 2", reads)
		}
		time.Sleep(time.Second)
		post(stranger, http.StatusForbidden)          // a ServiceAccount, to which no token of the Secret gives the right
		post("s3cret", http.StatusServiceUnavailable) // the Secret was read a moment ago, and may have another token by now
		time.Sleep(time.Minute)
		post("s3cret", http.StatusUnauthorized)
		time.Sleep(time.Minute)
		post("new", http.StatusOK)
		var source v1beta1.AlertSource
		if err := s.api.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "prometheus"}, &source); err != nil {
			t.Fatal(err)
		}
		if source.Status.ReceivingBrokenTime != nil {
			t.Error("the post of a stranger was refused like one of a sender")
		}
	})
}

// Without a watch of Secrets, a wrong token is refused for good although it is posted again before its Secret is read again, and what strangers are
// answered does not show which AlertSources exist.
func TestAWrongTokenOfAPolledSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, interceptor.Funcs{})
		polled := secrets.NewPolled(s.api, s.api)
		s.handler.access.Secrets = polled
		ctx, stop := context.WithCancel(t.Context())
		go func() { _ = polled.Start(ctx) }()
		answers := func(authorization string) (of [2]string) {
			for i, path := range []string{alertsPath, "/v1/namespaces/shop/alertsources/other/api/v2/alerts"} {
				w := s.post(path, authorization, oneAlert)
				of[i] = fmt.Sprint(w.Code, w.Header(), w.Body)
			}
			return of
		}
		refused := 0
		for i := range 100 {
			for _, authorization := range []string{"", "Bearer wrong", "Bearer wr.on.g", fmt.Sprint("Bearer guess-", i)} {
				of := answers(authorization)
				if of[0] != of[1] {
					t.Errorf("%q: %s, and where there is no AlertSource %s", authorization, of[0], of[1])
				}
				isRefused := strings.HasPrefix(of[0], "401")
				if authorization == "" && !isRefused {
					t.Errorf("without a token: %s", of[0])
				}
				if isRefused && authorization == "Bearer wrong" {
					refused++
				}
			}
			time.Sleep(4900 * time.Millisecond)
		}
		if refused != 98 {
			t.Errorf("%d of 100 posts are refused for good", refused)
		}
		if w := s.post(alertsPath, "Bearer s3cret", oneAlert); w.Code != http.StatusOK {
			t.Errorf("the token of the Secret: %d %s", w.Code, w.Body)
		}
		stop()
		synctest.Wait()
	})
}

func TestASecretThatMayNotBeRead(t *testing.T) {
	s := newServer(t, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
		if _, ok := o.(*corev1.Secret); ok {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, key.Name, nil)
		}
		return c.Get(ctx, key, o, options...)
	}})
	if w := s.post(alertsPath, "Bearer s3cret", oneAlert); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a shared token: %d %s", w.Code, w.Body)
	}
	if w := s.post(alertsPath, "Bearer "+robot, oneAlert); w.Code != http.StatusOK {
		t.Errorf("a token of a ServiceAccount: %d %s", w.Code, w.Body)
	}
	var source v1beta1.AlertSource
	if err := s.api.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "prometheus"}, &source); err != nil {
		t.Fatal(err)
	}
	problem, err := s.handler.access.Problem(t.Context(), &source)
	if err != nil || problem == nil || problem.Reason != v1beta1.ReasonSecretNotRead {
		t.Errorf("%v, %v", problem, err)
	}
}

func TestWhatIsStored(t *testing.T) {
	for name, test := range map[string]struct {
		body   string
		code   int
		says   string
		titles []string
	}{
		"an alert":                  {oneAlert, http.StatusOK, "", []string{"The disk is full"}},
		"nothing":                   {"[]", http.StatusOK, "", nil},
		"no list":                   {`{"alerts":[]}`, http.StatusBadRequest, "", nil},
		"one that is wrong":         {`[{"labels":{"alertname":7}},` + oneAlert[1:], http.StatusBadRequest, "1 alerts are stored, and these are not:\nalert 0: ", []string{"The disk is full"}},
		"a body that is too large":  {`["` + strings.Repeat("x", maxBody) + `"]`, http.StatusRequestEntityTooLarge, "more than 4194304 bytes", nil},
		"alerts of the same group":  {`[{"labels":{"alertname":"A","n":"1"}},{"labels":{"alertname":"A","n":"2"}}]`, http.StatusOK, "", []string{"A: 2 firing"}},
		"alerts of other groups":    {`[{"labels":{"alertname":"A"}},{"labels":{"alertname":"B"}}]`, http.StatusOK, "", []string{"A", "B"}},
		"an alert that has not yet": {`[{"labels":{"alertname":"A"},"endsAt":"2001-01-01T00:00:00Z"}]`, http.StatusOK, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, interceptor.Funcs{})
			for range 2 { // a repetition changes nothing
				w := s.post(alertsPath, "Bearer s3cret", test.body)
				if w.Code != test.code || !strings.Contains(w.Body.String(), test.says) {
					t.Errorf("%d %q, want %d %q", w.Code, w.Body, test.code, test.says)
				}
				if got := s.titles(t); fmt.Sprint(got) != fmt.Sprint(test.titles) {
					t.Errorf("Alerts %q, want %q", got, test.titles)
				}
			}
		})
	}
}

// A sender drops what is answered with another code than 5xx.
func TestWhateverMayPassIs503(t *testing.T) {
	alerts := schema.GroupResource{Group: "pager.k8s.co", Resource: "alerts"}
	for name, err := range map[string]error{
		"the API server is away":     errors.New("connection refused"),
		"the API server is busy":     apierrors.NewTooManyRequests("later", 1),
		"a quota":                    apierrors.NewForbidden(alerts, "a", errors.New("exceeded quota")),
		"a webhook that refuses":     apierrors.NewInvalid(schema.GroupKind{Group: "pager.k8s.co", Kind: "Alert"}, "a", nil),
		"others who write all along": apierrors.NewConflict(alerts, "a", nil),
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, interceptor.Funcs{Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return err }})
			w := s.post(alertsPath, "Bearer s3cret", oneAlert)
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.HasSuffix(strings.TrimSpace(w.Body.String()), "; post again") {
				t.Errorf("%d %q", w.Code, w.Body)
			}
		})
	}
}

func TestAConflictIsDecidedAgain(t *testing.T) {
	failures := 2
	s := newServer(t, interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
		if failures > 0 {
			failures--
			return apierrors.NewAlreadyExists(schema.GroupResource{Resource: "alerts"}, o.GetName())
		}
		return c.Create(ctx, o, options...)
	}})
	if w := s.post(alertsPath, "Bearer s3cret", oneAlert); w.Code != http.StatusOK || len(s.titles(t)) != 1 {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// Posts at the same time do not have more Alerts fire than the source may have, and one that says what fires beyond.
func TestPostsAtTheSameTimeKeepTheLimit(t *testing.T) {
	const posts, groups, limit = 4, 100, 200
	var planned sync.WaitGroup // until each has seen that there is room
	planned.Add(1)
	time.AfterFunc(100*time.Millisecond, planned.Done)
	s := newServer(t, interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
		planned.Wait()
		return c.Create(ctx, o, options...)
	}})
	var running sync.WaitGroup
	for post := range posts {
		running.Go(func() {
			alerts := make([]string, groups)
			for i := range alerts {
				alerts[i] = fmt.Sprintf(`{"labels":{"alertname":"A%d-%d"}}`, post, i)
			}
			if w := s.post(alertsPath, "Bearer s3cret", "["+strings.Join(alerts, ",")+"]"); w.Code != http.StatusOK {
				t.Errorf("%d %q", w.Code, w.Body)
			}
		})
	}
	running.Wait()
	if titles := s.titles(t); len(titles) != limit+1 {
		t.Errorf("%d Alerts, want %d", len(titles), limit+1)
	}
}

// An Alert that has the name of a group, and is not of the source, is not changed: the group has another name. F-P50.
func TestAForeignAlert(t *testing.T) {
	s := newServer(t, interceptor.Funcs{})
	if w := s.post(alertsPath, "Bearer s3cret", oneAlert); w.Code != http.StatusOK {
		t.Fatalf("%d %q", w.Code, w.Body)
	}
	var alerts v1beta1.AlertList
	if err := s.api.List(t.Context(), &alerts); err != nil || len(alerts.Items) != 1 {
		t.Fatal(len(alerts.Items), err)
	}
	foreign := &alerts.Items[0]
	foreign.Labels, foreign.Spec.Title = nil, "of a person"
	if err := s.api.Update(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w := s.post(alertsPath, "Bearer s3cret", `[{"labels":{"alertname":"Other"}},`+oneAlert[1:])
		if w.Code != http.StatusOK {
			t.Errorf("%d %q", w.Code, w.Body)
		}
		if titles := s.titles(t); len(titles) != 3 || !slices.Contains(titles, "of a person") || !slices.Contains(titles, "Other") || !slices.Contains(titles, "The disk is full") {
			t.Errorf("Alerts %q", titles)
		}
	}
}

// failingReader is a body that must not be read.
type failingReader struct{ t *testing.T }

func (r failingReader) Read([]byte) (int, error) {
	r.t.Error("the body is read")
	return 0, io.EOF
}

func TestABodyWhoseLengthIsTooLargeIsNotRead(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, alertsPath, failingReader{t})
	r.ContentLength = maxBody + 1
	r.Header.Set("Authorization", "Bearer s3cret")
	w := httptest.NewRecorder()
	if newServer(t, interceptor.Funcs{}).handler.ServeHTTP(w, r); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// reviewAPI reviews tokens of the robot, and of nobody else until its context ends.
type reviewAPI struct {
	authenticationv1client.TokenReviewInterface
	begun chan struct{}
}

func (a reviewAPI) Create(ctx context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	if review.Spec.Token == robot {
		review.Status = authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: []string{endpoint.Audience}, User: authenticationv1.UserInfo{Username: robot}}
		return review, nil
	}
	a.begun <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}

// While a client has as many tokens reviewed as may be at the same time, one whose token was reviewed can post.
func TestReviewsAreBounded(t *testing.T) {
	s := newServer(t, interceptor.Funcs{})
	api := reviewAPI{begun: make(chan struct{}, reviews.Max)}
	s.handler.access.tokens = reviews.Tokens(api, endpoint.Audience)
	post := func(token string) *httptest.ResponseRecorder {
		return s.post(alertsPath, "Bearer "+token, oneAlert)
	}
	if w := post(robot); w.Code != http.StatusOK {
		t.Fatalf("%d %q", w.Code, w.Body)
	}
	var running sync.WaitGroup
	for i := range reviews.Max {
		running.Go(func() {
			if w := post(fmt.Sprintf("guess.%d.x", i)); w.Code != http.StatusServiceUnavailable {
				t.Errorf("%d %q", w.Code, w.Body)
			}
		})
		<-api.begun
	}
	if w := post("one.too.many"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "4 tokens are reviewed") {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if w := post(robot); w.Code != http.StatusOK {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	running.Wait()
}

func TestThereIsNoRoomForMore(t *testing.T) {
	s := newServer(t, interceptor.Funcs{})
	name := types.NamespacedName{Namespace: "shop", Name: "prometheus"}
	var leave func()
	for range maxRequestsOfSource {
		leave = s.handler.bySource.TryAcquire(name, 1, maxRequestsOfSource)
	}
	if w := s.post(alertsPath, "Bearer s3cret", oneAlert); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "4 requests to the AlertSource") {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	leave()
	if w := s.post(alertsPath, "Bearer s3cret", oneAlert); w.Code != http.StatusOK {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// A post that is not decoded or decided in time says what it has waited for.
func TestALargePostWaitsForOthers(t *testing.T) {
	many := make([]string, largePost+1)
	for i := range many {
		many[i] = fmt.Sprintf(`{"labels":{"alertname":"A%d"}}`, i)
	}
	for name, body := range map[string]string{
		"many bytes":  `[{"labels":{"alertname":"A"},"annotations":{"summary":"` + strings.Repeat("x", largeBody) + `"}}]`,
		"many alerts": "[" + strings.Join(many, ",") + "]",
	} {
		s := newServer(t, interceptor.Funcs{})
		leave, err := s.handler.store.enterLarge(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.ctx = ctx
		if w := s.post(alertsPath, "Bearer s3cret", body); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "other large posts are decoded") {
			t.Errorf("%s: %d %q", name, w.Code, w.Body)
		}
		leave()
	}
}

// F-P60: AlertSources of one namespace leave room for those of others.
func TestANamespaceHasAPartOfTheRequests(t *testing.T) {
	if maxRequestsOfNamespace > httpserver.Posts.Requests/4 {
		t.Errorf("%d of %d requests are a namespace's", maxRequestsOfNamespace, httpserver.Posts.Requests)
	}
	s := newServer(t, interceptor.Funcs{})
	var leave func()
	for range maxRequestsOfNamespace {
		leave = s.handler.byNamespace.TryAcquire("shop", 1, maxRequestsOfNamespace)
	}
	w := s.post(alertsPath, "Bearer s3cret", oneAlert)
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "16 requests to AlertSources of namespace shop") {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if s.handler.byNamespace.TryAcquire("else", 1, maxRequestsOfNamespace) == nil {
		t.Error("another namespace has no room")
	}
	leave()
	if w := s.post(alertsPath, "Bearer s3cret", oneAlert); w.Code != http.StatusOK {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// lateClient reads what the API server had some time ago.
type lateClient struct {
	client.Client
	former client.Reader
}

func (c lateClient) Get(ctx context.Context, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
	return c.former.Get(ctx, key, o, options...)
}

func (c lateClient) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return c.former.List(ctx, list, options...)
}

// Another replica has created the Alert of a group under its second name, while that of the first one was being deleted. The cache shows neither.
func TestAnotherReplicaHasCreatedTheAlert(t *testing.T) {
	s := newServer(t, interceptor.Funcs{})
	s.post(alertsPath, "Bearer s3cret", oneAlert)
	var alerts v1beta1.AlertList
	if err := s.api.List(t.Context(), &alerts); err != nil || len(alerts.Items) != 1 {
		t.Fatalf("%d Alerts, %v", len(alerts.Items), err)
	}
	first := &alerts.Items[0]
	second := first.DeepCopy()
	second.Name, second.ResourceVersion = first.Name+"-2", ""
	if err := errors.Join(s.api.Delete(t.Context(), first), s.api.Create(t.Context(), second)); err != nil {
		t.Fatal(err)
	}
	former := newServer(t, interceptor.Funcs{}).api
	store := s.handler.store
	store.Cache, store.Client = former, lateClient{s.api, former}
	if w := s.post(alertsPath, "Bearer s3cret", oneAlert); w.Code != http.StatusOK {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if titles := s.titles(t); len(titles) != 1 {
		t.Errorf("%q are sent", titles)
	}
}

func TestTheTimeOfThePostIsRecordedOnceAMinute(t *testing.T) {
	writes := 0
	s := newServer(t, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, options ...client.SubResourcePatchOption) error {
		writes++
		return c.SubResource(sub).Patch(ctx, o, p, options...)
	}})
	clock := s.handler.store.Times.Clock.(*clocktesting.FakePassiveClock)
	for _, after := range []time.Duration{0, 30 * time.Second, 29 * time.Second, 2 * time.Second} {
		clock.SetTime(clock.Now().Add(after))
		if w := s.post(alertsPath, "Bearer s3cret", oneAlert); w.Code != http.StatusOK {
			t.Fatalf("%d %q", w.Code, w.Body)
		}
	}
	if writes != 2 {
		t.Errorf("%d writes, want 2", writes)
	}
}

// F-P47: the API server's clock decides whether an alert fires, and what is recorded: that of a replica may be ahead.
func TestAReplicaWithAnotherClock(t *testing.T) {
	s := newServer(t, interceptor.Funcs{})
	served := time.Unix(1_800_000_000, 0)
	times := &s.handler.store.Times
	times.Clock.(*clocktesting.FakePassiveClock).SetTime(served.Add(time.Hour))
	body := fmt.Sprintf(`[{"labels": {"alertname": "A"}, "endsAt": %q}]`, served.Add(4*time.Minute).Format(time.RFC3339))

	times.Server = clockAt(time.Time{}, time.Time{})
	if w := s.post(alertsPath, "Bearer s3cret", body); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "the time of the API server is not known yet") {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	times.Server = clockAt(served, served)
	if w := s.post(alertsPath, "Bearer s3cret", body); w.Code != http.StatusOK {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if titles := s.titles(t); len(titles) != 1 {
		t.Errorf("titles are %v", titles)
	}
	source := &v1beta1.AlertSource{}
	if err := s.api.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: "prometheus"}, source); err != nil {
		t.Fatal(err)
	}
	if at := source.Status.LastReceivedTime; !at.Time.Equal(served) {
		t.Errorf("it was received at %s, want %s", at, served)
	}
}

// F-P47: the clock of a sender is 6 minutes behind, so that each of its ends is in the past. Its alert fires nevertheless, until the sender says that
// it ended, and an event says so once an hour.
func TestASenderWhoseClockIsBehind(t *testing.T) {
	s := newServer(t, interceptor.Funcs{})
	clock := s.handler.store.Times.Clock.(*clocktesting.FakePassiveClock)
	began := clock.Now()
	post := func(end time.Time) {
		t.Helper()
		body := fmt.Sprintf(`[{"labels": {"alertname": "A"}, "startsAt": %q, "endsAt": %q}]`, began.Add(-10*time.Minute).Format(time.RFC3339), end.Format(time.RFC3339))
		if w := s.post(alertsPath, "Bearer s3cret", body); w.Code != http.StatusOK {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	}
	for minutes := range 30 {
		clock.SetTime(began.Add(time.Duration(minutes) * time.Minute))
		post(clock.Now().Add(-6*time.Minute + 4*time.Minute))
		alerts := &v1beta1.AlertList{}
		if err := s.api.List(t.Context(), alerts); err != nil {
			t.Fatal(err)
		}
		if fires := len(alerts.Items) == 1 && alerts.Items[0].Spec.State == v1beta1.AlertFiring; fires != (minutes >= 2) {
			t.Errorf("after %d minutes it fires: %t", minutes, fires)
		}
	}
	if events := s.handler.store.Recorder.(*events.FakeRecorder).Events; len(events) != 1 || !strings.Contains(<-events, "SenderClockBehind Alerts that are posted again and again had ended 2m0s before") {
		t.Errorf("%d events", len(events))
	}
	clock.SetTime(clock.Now().Add(time.Minute))
	post(clock.Now().Add(-6 * time.Minute))
	alerts := &v1beta1.AlertList{}
	if err := s.api.List(t.Context(), alerts); err != nil || alerts.Items[0].Spec.State != v1beta1.AlertResolved {
		t.Errorf("%+v, %v", alerts.Items, err)
	}
}

// F-P47: a restart of the operator does not end the alerts of a sender whose clock is behind. What has ended is posted twice.
func TestARestartAndASenderWhoseClockIsBehind(t *testing.T) {
	s := newServer(t, interceptor.Funcs{})
	clock := s.handler.store.Times.Clock.(*clocktesting.FakePassiveClock)
	began := clock.Now()
	post := func(alerts string) (firing []string) {
		t.Helper()
		clock.SetTime(clock.Now().Add(time.Minute))
		if w := s.post(alertsPath, "Bearer s3cret", "["+alerts+"]"); w.Code != http.StatusOK {
			t.Errorf("%d %q", w.Code, w.Body)
		}
		list := &v1beta1.AlertList{}
		if err := s.api.List(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		for _, a := range list.Items {
			if a.Spec.State != v1beta1.AlertResolved {
				firing = append(firing, a.Annotations[v1beta1.AlertGroupAnnotation])
			}
		}
		slices.Sort(firing)
		return firing
	}
	alert := func(name string, end time.Time) string {
		return fmt.Sprintf(`{"labels": {"alertname": %q}, "startsAt": %q, "endsAt": %q}`, name, began.Add(-10*time.Minute).Format(time.RFC3339), end.Format(time.RFC3339))
	}
	late := func() string { return alert("Late", clock.Now().Add(time.Minute-2*time.Minute)) }
	for range 5 {
		post(late() + "," + alert("Over", clock.Now().Add(4*time.Minute)))
	}
	if firing := post(late()); !slices.Equal(firing, []string{"Late", "Over"}) {
		t.Fatalf("before the restart %q fire", firing)
	}
	over := alert("Over", clock.Now().Add(-3*time.Minute))
	s.handler.store.late, s.handler.store.Times.Began = lateEnds{}, clock.Now()
	for n, want := range [][]string{{"Late", "Over"}, {"Late"}, {"Late"}, {"Late"}} {
		if firing := post(late() + "," + over); !slices.Equal(firing, want) {
			t.Errorf("after post %d %q fire, want %q", n+1, firing, want)
		}
	}
}

// F-P47: each Prometheus of a pair has noticed an alert at a time of its own, and the clocks of both are behind.
func TestAPairWhoseClocksAreBehind(t *testing.T) {
	var late lateEnds
	began, fire := time.Unix(1_800_000_000, 0), 0
	for n := range 10 {
		now := began.Add(time.Duration(n) * 30 * time.Second)
		start := began.Add(time.Duration(n%2)*7*time.Second - time.Hour)
		posted := []alertmanager.Alert{{Labels: map[string]string{"alertname": "A"}, StartsAt: start, EndsAt: now.Add(-2 * time.Minute)}}
		if corrected, _ := late.correct(types.NamespacedName{}, posted, now, false); corrected[0].EndsAt.After(now) {
			fire++
		}
	}
	if fire != 6 {
		t.Errorf("it fires by %d posts, want 6: all but two of each", fire)
	}
}

// R5: a source with very many late ends does not push out those of another one.
func TestLateEndsOfASourceWithManyAlerts(t *testing.T) {
	var late lateEnds
	began, fire := time.Unix(1_800_000_000, 0), 0
	for n := range 5 {
		now := began.Add(time.Duration(n) * 30 * time.Second)
		posted := []alertmanager.Alert{{Labels: map[string]string{"alertname": "A"}, StartsAt: began.Add(-time.Hour), EndsAt: now.Add(-2 * time.Minute)}}
		if corrected, _ := late.correct(types.NamespacedName{Name: "small"}, posted, now, false); corrected[0].EndsAt.After(now) {
			fire++
		}
		var many []alertmanager.Alert
		for k := range maxLate {
			many = append(many, alertmanager.Alert{Labels: map[string]string{"alertname": "A"}, StartsAt: began.Add(-time.Duration(k+1) * time.Second), EndsAt: now.Add(-time.Hour)})
		}
		late.correct(types.NamespacedName{Name: "large"}, many, now, false)
	}
	if fire != 3 {
		t.Errorf("it fires by %d posts, want all but two", fire)
	}
	if late.count > maxLate {
		t.Errorf("%d ends are kept", late.count)
	}
}

// R11: while the time is unknown, after a jump of the API server's clock, posts are stored by the time that goes on. Such a post is no part of
// a series, and nothing has been served for long, so that nothing ends.
func TestPostsAtAnUnknownTime(t *testing.T) {
	s := newServer(t, interceptor.Funcs{})
	last := time.Unix(1_800_000_000, 0)
	times := &s.handler.store.Times
	times.Server = clockAt(time.Time{}, last)
	if w := s.post(alertsPath, "Bearer s3cret", oneAlert); w.Code != http.StatusOK {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if titles := s.titles(t); len(titles) != 1 {
		t.Errorf("titles are %v", titles)
	}
	if now, servedSince := times.Now(); !now.Equal(last) || !servedSince.Equal(last) {
		t.Errorf("it is %s, and served since %s", now, servedSince)
	}
	source := &v1beta1.AlertSource{}
	if err := s.api.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: "prometheus"}, source); err != nil {
		t.Fatal(err)
	}
	if status := source.Status; !status.LastReceivedTime.Time.Equal(last) || status.ReceivingSince != nil || !status.ReceivingBrokenTime.Time.Equal(last) {
		t.Errorf("got %+v", status)
	}
	times.Server = clockAt(last, last)
	if _, servedSince := times.Now(); !servedSince.Before(last) {
		t.Errorf("at a known time it is served since %s", servedSince)
	}
}

// F-P46: a refused post breaks the series, also if that can only be recorded with a later post: an API server that is away takes neither.
func TestARefusalIsRecordedLater(t *testing.T) {
	other := strings.ReplaceAll(oneAlert, "DiskFull", "CPU")
	postAs := func(token, body string, code int) func(*testing.T, *server) {
		return func(t *testing.T, s *server) {
			t.Helper()
			if w := s.post(alertsPath, "Bearer "+token, body); w.Code != code {
				t.Errorf("%d %q, want %d", w.Code, w.Body, code)
			}
		}
	}
	unavailable := postAs("s3cret", other, http.StatusServiceUnavailable)
	for name, test := range map[string]struct {
		refuse func(*testing.T, *server)
		breaks bool
	}{
		"Alerts that cannot be written": {unavailable, true},
		"a wrong body":                  {postAs("s3cret", "wrong", http.StatusServiceUnavailable), true},
		"a large body":                  {postAs("s3cret", strings.Repeat("x", maxBody+1), http.StatusServiceUnavailable), true},
		"too many requests": {func(t *testing.T, s *server) {
			leave := s.handler.bySource.TryAcquire(types.NamespacedName{Namespace: "shop", Name: "prometheus"}, maxRequestsOfSource, maxRequestsOfSource)
			unavailable(t, s)
			leave()
		}, true},
		"a time that is not known yet": {func(t *testing.T, s *server) {
			known := s.handler.store.Times.Server
			s.handler.store.Times.Server = clockAt(time.Time{}, time.Time{})
			unavailable(t, s)
			s.handler.store.Times.Server = known
		}, true},
		"a panic": {func(t *testing.T, s *server) {
			cache := s.handler.store.Cache
			s.handler.store.Cache = nil
			unavailable(t, s)
			s.handler.store.Cache = cache
		}, true},
		"a token that cannot be reviewed": {postAs("server.is.away", other, http.StatusServiceUnavailable), true},
		"a wrong token":                   {postAs("guessed", other, http.StatusUnauthorized), false},
		"a user without a right":          {postAs(stranger, other, http.StatusForbidden), false},
	} {
		t.Run(name, func(t *testing.T) {
			isAway := false
			s := newServer(t, interceptor.Funcs{
				Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
					if isAway {
						return apierrors.NewServiceUnavailable("away")
					}
					return c.Create(ctx, o, options...)
				},
				SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, options ...client.SubResourcePatchOption) error {
					if isAway {
						return apierrors.NewServiceUnavailable("away")
					}
					return c.SubResource(sub).Patch(ctx, o, p, options...)
				},
			})
			clock := s.handler.store.Times.Clock.(*clocktesting.FakePassiveClock)
			store := func() (time.Time, v1beta1.AlertSourceStatus) {
				t.Helper()
				clock.SetTime(clock.Now().Add(time.Minute))
				postAs("s3cret", oneAlert, http.StatusOK)(t, s)
				var source v1beta1.AlertSource
				if err := s.api.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "prometheus"}, &source); err != nil {
					t.Fatal(err)
				}
				return clock.Now(), source.Status
			}
			began, _ := store()
			isAway = true
			test.refuse(t, s)
			_, unchanged := store() // needs no write
			if !unchanged.ReceivingSince.Time.Equal(began) || unchanged.ReceivingBrokenTime != nil {
				t.Errorf("while the API server is away the status is %+v", unchanged)
			}
			isAway = false
			stored, status := store()
			if test.breaks {
				began = stored
			}
			if (status.ReceivingBrokenTime != nil) != test.breaks || test.breaks && !status.ReceivingBrokenTime.Time.Equal(stored) {
				t.Errorf("the series was broken %s", status.ReceivingBrokenTime)
			}
			stored, status = store()
			if !status.ReceivingSince.Time.Equal(began) || !status.ReceivingUntil.Time.Equal(stored) {
				t.Errorf("the series is from %s to %s, want %s to %s", status.ReceivingSince, status.ReceivingUntil, began, stored)
			}
		})
	}
}
