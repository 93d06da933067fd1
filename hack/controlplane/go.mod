module github.com/gophernetes/bellhop/hack/controlplane

go 1.26.0
