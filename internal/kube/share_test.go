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

package kube

import (
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// asked is a new object, as one is decoded.
func asked(name, user string, at time.Time) *v1beta1.ServiceInstance {
	by := func() *v1beta1.UserInfo {
		return &v1beta1.UserInfo{Username: user, Groups: []string{"a", "b"}, Extra: map[string]v1beta1.ExtraValue{"key": {user}}}
	}
	return &v1beta1.ServiceInstance{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"user": user}, Finalizers: []string{"x"}},
		Spec:       v1beta1.ServiceInstanceSpec{UserInfo: by(), Parameters: &runtime.RawExtension{Raw: []byte(`{"user":"` + user + `"}`)}},
		Status: v1beta1.ServiceInstanceStatus{
			ExternalProperties: &v1beta1.ServiceInstancePropertiesState{UserInfo: by()},
			Conditions:         []v1beta1.Condition{{Type: "Ready", LastTransitionTime: metav1.NewTime(at)}},
			OperationStartTime: &metav1.Time{Time: at},
		},
	}
}

// same says whether two maps are one in memory.
func same[K comparable, V any](a, b map[K]V) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}

func TestObjectsOfACacheShareWhatIsEqual(t *testing.T) {
	now := time.Unix(1e9, 0)
	share := ShareForCache(StripForCache("Kept"))
	cached := func(o *v1beta1.ServiceInstance) *v1beta1.ServiceInstance {
		was := o.DeepCopy()
		shared, err := share(o)
		if err != nil || !reflect.DeepEqual(shared, was) {
			t.Fatalf("it is %+v (%v), and was %+v", shared, err, was)
		}
		return o
	}
	first, second, other := cached(asked("1", "ann", now)), cached(asked("2", "ann", now)), cached(asked("3", "bob", now.Add(time.Hour)))
	for what, shared := range map[string][2]bool{
		"who has asked, in one object": {first.Spec.UserInfo == first.Status.ExternalProperties.UserInfo, other.Spec.UserInfo == other.Status.ExternalProperties.UserInfo},
		"who has asked":                {first.Spec.UserInfo == second.Spec.UserInfo, first.Spec.UserInfo != other.Spec.UserInfo},
		"labels":                       {same(first.Labels, second.Labels), !same(first.Labels, other.Labels)},
		"finalizers":                   {&first.Finalizers[0] == &second.Finalizers[0], &first.Finalizers[0] == &other.Finalizers[0]},
		"parameters":                   {first.Spec.Parameters == second.Spec.Parameters, first.Spec.Parameters != other.Spec.Parameters},
		"conditions":                   {&first.Status.Conditions[0] == &second.Status.Conditions[0], &first.Status.Conditions[0] != &other.Status.Conditions[0]},
		"times":                        {first.Status.OperationStartTime == second.Status.OperationStartTime, first.Status.OperationStartTime != other.Status.OperationStartTime},
	} {
		if !shared[0] || !shared[1] {
			t.Errorf("%s: where equal %t, else %t", what, shared[0], shared[1])
		}
	}
}

// TestSharedIsOnlyWhatIsEqual: with thousands of others in between, too, and where sums are
// alike.
func TestSharedIsOnlyWhatIsEqual(t *testing.T) {
	s := newSharer()
	for i := range 3 * maxShared {
		at := time.Unix(int64(i), 0) // which is in no sum
		o := asked(string(rune('a'+i%7)), time.Duration(i%5000).String(), at)
		was := o.DeepCopy()
		if s.share(o); !reflect.DeepEqual(o, was) {
			t.Fatalf("it is %+v, and was %+v", o, was)
		}
	}
}

func BenchmarkShareForCache(b *testing.B) {
	share := ShareForCache(StripForCache("Kept"))
	o := asked("1", "ann", time.Unix(1e9, 0))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := share(o.DeepCopy()); err != nil {
			b.Fatal(err)
		}
	}
}
