// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pager_test runs the real operator against a real API server and fake receivers, and asserts what users see.
package pager_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1alpha1"
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

// env is the control plane and the operator. The other variables are shortcuts to its parts.
var (
	env      = &suite.Suite{}
	cluster  *local.Cluster
	operator *local.Operator
	k8s      client.Client
	logs     = &env.Logs

	createNamespace    = env.CreateNamespace
	kubectl            = env.Kubectl
	markAudit          = env.MarkAudit
	scrape             = env.Scrape
	createMetricsToken = env.CreateMetricsToken
	checkGone          = env.CheckGone
	createToken        = env.CreateToken
	serial             = suite.Serial
	haveCondition      = suite.HaveCondition[metav1.ConditionStatus]
	createSecret       = env.CreateSecret
	runInParallel      = suite.RunInParallel
)

func TestPager(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute) // many specs run at the same time
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(2 * time.Second)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "pager")
}

var _ = SynchronizedBeforeSuite(func(ctx SpecContext) []byte {
	started := env.Start(ctx)
	env.WaitForControllers(ctx, firstObjects)
	return started
}, func(started []byte) {
	env.Join(started, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme, v1beta1.AddToScheme)
	cluster, operator, k8s = env.Cluster, env.Operator, env.Client
})

var (
	_ = BeforeEach(logs.Reset)
	_ = AfterEach(logs.Report)
)

// firstObjects are objects for which the operator sends no request to a receiver.
const firstObjects = `
apiVersion: pager.k8s.co/v1beta1
kind: Alert
metadata: {name: first, namespace: default, annotations: {bellhop.gophernetes.io/deletion-policy: Retain}}
spec: {title: first, content: first, receiverRefs: [{name: none}]}
`

// startOperator runs an operator until it is stopped or killed.
func startOperator(ctx context.Context, args ...string) {
	GinkgoHelper()
	operator = env.StartOperator(ctx, args...)
}

// logAtHighestLevel replaces the operator until the spec ends. The new one logs bodies of requests, too.
func logAtHighestLevel(ctx SpecContext) {
	GinkgoHelper()
	operator.Kill()
	startOperator(context.WithoutCancel(ctx), "--zap-log-level=10")
	DeferCleanup(func(ctx SpecContext) {
		operator.Kill()
		startOperator(context.WithoutCancel(ctx))
	})
}

// fakeReceiver is an inbox that listens on a port of its own.
type fakeReceiver struct {
	*inbox.Inbox
	server *httptest.Server
	URL    string
}

func startFakeReceiver() *fakeReceiver {
	in := inbox.New(inbox.Options{})
	return serveInbox(in, in.Handler())
}

// startNotifier returns an inbox that gets its messages from a notifier, whose calls the inbox answers.
func startNotifier() *fakeReceiver {
	in, notifier := inbox.New(inbox.Options{}), notifytest.NewGRPC("")
	notifier.Forward(in.Handler())
	return serveInbox(in, notifier)
}

func serveInbox(in *inbox.Inbox, handler http.Handler) *fakeReceiver {
	server := notifytest.Serve(handler)
	DeferCleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return &fakeReceiver{Inbox: in, server: server, URL: server.URL}
}

// callNotifier turns a Receiver with a webhook into one with a notifier at the same address.
func callNotifier(r *v1beta1.Receiver) {
	r.Spec.Provider = v1beta1.Provider{GRPC: &v1beta1.GRPCProvider{Address: r.Spec.Webhook.URL}}
}

// refuseConnections closes the server, and keeps its port bound without listening: connections are refused, and the kernel gives the
// port to no other server. listenAgain still gets it.
func (r *fakeReceiver) refuseConnections() {
	GinkgoHelper()
	r.server.CloseClientConnections()
	r.server.Close()
	bindPort(r.server.Listener.Addr().(*net.TCPAddr).Port)
}

// refusingURL returns the URL of a port at which no process has listened, and none can: of a server's port, another process may get it in the
// moment after the server is closed.
func refusingURL() string {
	GinkgoHelper()
	return fmt.Sprintf("http://127.0.0.1:%d", bindPort(0))
}

// bindPort binds a port of the loopback address until the spec ends, without listening; 0 stands for a free one. It returns the port.
func bindPort(port int) int {
	GinkgoHelper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(syscall.Close, socket)
	syscall.CloseOnExec(socket)
	Expect(syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)).To(Succeed())
	Expect(syscall.Bind(socket, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})).To(Succeed())
	bound, err := syscall.Getsockname(socket)
	Expect(err).NotTo(HaveOccurred())
	return bound.(*syscall.SockaddrInet4).Port
}

// messagesAbout returns the messages about an Alert in the order of their arrival.
func (r *fakeReceiver) messagesAbout(a *v1beta1.Alert) []inbox.Message {
	var about []inbox.Message
	for _, m := range r.Messages() {
		if m.Namespace == a.Namespace && m.Name == a.Name {
			about = append(about, m)
		}
	}
	return about
}

// eventTypes returns the event types of the messages about an Alert, such as fired.
func (r *fakeReceiver) eventTypes(a *v1beta1.Alert) func() []string {
	return func() []string {
		types := []string{}
		for _, m := range r.messagesAbout(a) {
			types = append(types, strings.TrimPrefix(m.Event, "alert."))
		}
		return types
	}
}

// createReceiver creates a Receiver with a webhook.
func createReceiver(ctx context.Context, namespace, name, url string, edits ...func(*v1beta1.Receiver)) *v1beta1.Receiver {
	GinkgoHelper()
	r := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	r.Spec.Webhook = &v1beta1.WebhookProvider{URL: url}
	for _, edit := range edits {
		edit(r)
	}
	Expect(k8s.Create(ctx, r)).To(Succeed())
	return r
}

// createAlert creates an Alert for the named Receivers, or for the default receiver where none is named.
func createAlert(ctx context.Context, namespace, name string, edit func(*v1beta1.Alert), receivers ...string) *v1beta1.Alert {
	GinkgoHelper()
	a := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	a.Spec.Content = "the disk of " + name + " is full"
	for _, r := range receivers {
		a.Spec.ReceiverRefs = append(a.Spec.ReceiverRefs, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: r})
	}
	if edit != nil {
		edit(a)
	}
	Expect(k8s.Create(ctx, a)).To(Succeed())
	return a
}

// update edits the present version of an object.
func update[T client.Object](ctx context.Context, o T, edit func(T)) {
	GinkgoHelper()
	suite.Update(ctx, env, o, edit)
}

// alertStatus reads the Alert, and returns its status.
func alertStatus(ctx context.Context, a *v1beta1.Alert) func() (v1beta1.AlertStatus, error) {
	return func() (v1beta1.AlertStatus, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(a), a)
		return a.Status, err
	}
}

// receiverStatus reads the receiver, and returns its status.
func receiverStatus(ctx context.Context, r v1beta1.ReceiverObject) func() (v1beta1.ReceiverStatus, error) {
	return func() (v1beta1.ReceiverStatus, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(r), r)
		return *r.CommonStatus(), err
	}
}

// beSent matches a status that reports the present generation of the spec as sent.
func beSent(a *v1beta1.Alert) OmegaMatcher {
	return SatisfyAll(
		HaveField("Sent", true),
		WithTransform(func(s v1beta1.AlertStatus) bool { return s.ObservedGeneration == a.Generation }, BeTrue()),
		haveCondition("Ready", metav1.ConditionTrue, "Sent"),
	)
}

// beStalled matches a status that waits for a change by a user, with this text in the message.
func beStalled(reason, message string) OmegaMatcher {
	return SatisfyAll(
		haveCondition("Stalled", metav1.ConditionTrue, reason),
		haveCondition("Ready", metav1.ConditionFalse, reason),
		HaveField("Conditions", ContainElement(SatisfyAll(HaveField("Type", "Stalled"), HaveField("Message", ContainSubstring(message))))),
	)
}

// beReconciling matches a status on which the operator still works, with this text in the message.
func beReconciling(reason, message string) OmegaMatcher {
	return SatisfyAll(
		haveCondition("Reconciling", metav1.ConditionTrue, reason),
		haveCondition("Stalled", metav1.ConditionFalse, reason),
		HaveField("Conditions", ContainElement(SatisfyAll(HaveField("Type", "Reconciling"), HaveField("Message", ContainSubstring(message))))),
	)
}

// listenAgain serves the inbox of a closed server at the same address.
func listenAgain(r *fakeReceiver) *httptest.Server {
	GinkgoHelper()
	listener, err := net.Listen("tcp", strings.TrimPrefix(r.URL, "http://"))
	Expect(err).NotTo(HaveOccurred())
	back := httptest.NewUnstartedServer(r.Handler())
	back.Listener.Close()
	back.Listener = listener
	back.Start()
	return back
}
