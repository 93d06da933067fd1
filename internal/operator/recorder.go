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
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	eventsv1 "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
)

// NewRecorder returns a recorder of events for all controllers of a manager. The manager's own recorder sends JSON, which costs the
// API server and the operator about twice as much CPU as protobuf; events are the most frequent requests of the operator.
func NewRecorder(mgr ctrl.Manager) (events.EventRecorder, error) {
	config := rest.CopyConfig(mgr.GetConfig())
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf
	client, err := eventsv1.NewForConfigAndClient(config, mgr.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	sender := &eventSender{events.NewBroadcaster(&events.EventSinkImpl{Interface: client})}
	return sender.NewRecorder(mgr.GetScheme(), "bellhop"), mgr.Add(sender)
}

// eventSender sends events until the manager stops, and then those that are queued.
type eventSender struct{ events.EventBroadcaster }

func (eventSender) NeedLeaderElection() bool { return false }

func (s *eventSender) Start(ctx context.Context) error {
	logger := ctrl.LoggerFrom(ctx).WithName("events")
	// client-go logs requests by this logger.
	sending, stop := context.WithCancel(ctrl.LoggerInto(context.WithoutCancel(ctx), logger))
	defer stop()
	if err := s.StartRecordingToSinkWithContext(sending); err != nil {
		return err
	}
	if log := logger.V(1); log.Enabled() {
		stopLogging, err := s.StartLogging(log)
		if err != nil {
			return err
		}
		defer stopLogging()
	}
	<-ctx.Done()
	s.Shutdown() // waits until what is queued is on its way
	return nil
}
