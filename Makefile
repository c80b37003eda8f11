# make demo   shows a node in a web page at http://localhost:8080
# make test   installs what the tests need, and runs them all
# make bench  measures what one event costs

GO ?= go

.PHONY: demo test build check race bench test-deps

demo:
	$(GO) run ./cmd/caddy-pubsub demo $(ARGS)

build:
	$(GO) build ./cmd/caddy-pubsub

test: test-deps check race

# With -race, what is compiled here is what the tests need.
check:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not formatted: $$unformatted"; exit 1; }
	$(GO) mod verify
	$(GO) mod tidy -diff
	$(GO) vet -race ./...
	GOFLAGS=-race $$($(GO) tool -n -modfile=tools/go.mod staticcheck) ./...

# Some tests build the gateway by themselves, which the cache does not know of.
race:
	$(GO) test -race -count=1 -timeout 10m ./...

bench:
	$(GO) test -run '^$$' -bench . -benchmem -count 6 ./xmppclient ./caddymodule/internal/eventstream ./caddymodule/internal/delivery

# The servers and the browser come from the distribution. Their own services
# are not touched: the tests run instances of theirs, at other ports.
test-deps:
	@./test-deps
