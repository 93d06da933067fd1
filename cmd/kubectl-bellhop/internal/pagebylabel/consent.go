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

package pagebylabel

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/gophernetes/bellhop/internal/lifecycle/health"
)

// Consents reports whether a Namespace consents to Alerts about its objects.
func Consents(ctx context.Context, core coreclient.CoreV1Interface, namespace string) (bool, error) {
	ns, err := core.Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	if err != nil {
		return false, err
	}
	return health.Consents(ns), nil
}

// ConsentCommand is the command by which an administrator of a Namespace consents.
func ConsentCommand(namespace string) string {
	return fmt.Sprintf("kubectl label namespace %s --overwrite %s", namespace, health.ConsentSelector)
}
