// A gRPC client in lines, for tests of a CSI driver and of a plugin's registration: each line of standard input is a call as JSON
//
//	{"id": 1, "endpoint": "unix:/…/csi.sock", "method": "/csi.v1.Node/NodeGetInfo", "request": {…}, "timeout_ms": 1000, "async": true}
//
// and its answer is a line {"id": 1, "code": "OK", "message": "", "response": {…}, "us": 412}. Connections are kept, one for each
// endpoint, or with "fresh" made for the call, as the kubelet does. {"bench": …} measures; see bench.go.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	_ "github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
	_ "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

type call struct {
	ID       int64           `json:"id"`
	Endpoint string          `json:"endpoint"`
	Method   string          `json:"method"`
	Request  json.RawMessage `json:"request"`
	Raw      []byte          `json:"raw"` // instead of the request: these bytes as the message
	Timeout  int64           `json:"timeout_ms"`
	Async    bool            `json:"async"`
	Fresh    bool            `json:"fresh"`
	Gzip     bool            `json:"gzip"`
	Bench    *bench          `json:"bench"`
}

type answer struct {
	ID       int64           `json:"id"`
	Code     string          `json:"code"`
	Message  string          `json:"message"`
	Details  int             `json:"details"`
	Response json.RawMessage `json:"response,omitempty"`
	Us       float64         `json:"us"`
	Samples  [][]float64     `json:"samples,omitempty"`
}

type raw []byte

// rawCodec sends bytes as they are, whatever they are.
type rawCodec struct{}

func (rawCodec) Name() string                       { return "proto" }
func (rawCodec) Marshal(v any) ([]byte, error)      { return *v.(*raw), nil }
func (rawCodec) Unmarshal(data []byte, v any) error { *v.(*raw) = append(raw{}, data...); return nil }

var (
	lock        sync.Mutex
	connections = map[string]*grpc.ClientConn{}
)

func dial(endpoint string, fresh bool) (*grpc.ClientConn, error) {
	lock.Lock()
	defer lock.Unlock()
	if c := connections[endpoint]; c != nil && !fresh {
		return c, nil
	}
	c, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("localhost"))
	if err == nil && !fresh {
		connections[endpoint] = c
	}
	return c, err
}

// find gives the two messages of a method; for one that nobody knows, raw bytes.
func find(method string) protoreflect.MethodDescriptor {
	service, name, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil
	}
	if s, ok := d.(protoreflect.ServiceDescriptor); ok {
		return s.Methods().ByName(protoreflect.Name(name))
	}
	return nil
}

func do(c call) answer {
	a := answer{ID: c.ID}
	ctx, cancel := context.WithCancel(context.Background())
	if c.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.Timeout)*time.Millisecond)
	}
	defer cancel()
	connection, err := dial(c.Endpoint, c.Fresh)
	if err != nil {
		a.Code, a.Message = "dial", err.Error()
		return a
	}
	if c.Fresh {
		defer connection.Close()
	}
	options := []grpc.CallOption{}
	if c.Gzip {
		options = append(options, grpc.UseCompressor(gzip.Name))
	}
	method := find(c.Method)
	begin := time.Now()
	if method == nil || c.Raw != nil {
		request, reply := raw(c.Raw), raw{}
		err = connection.Invoke(ctx, c.Method, &request, &reply, append(options, grpc.ForceCodec(rawCodec{}))...)
	} else {
		request, reply := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
		if len(c.Request) > 0 {
			if err := protojson.Unmarshal(c.Request, request); err != nil {
				return answer{ID: c.ID, Code: "request", Message: err.Error()}
			}
		}
		if err = connection.Invoke(ctx, c.Method, proto.Message(request), proto.Message(reply), options...); err == nil {
			a.Response, _ = protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(reply)
		}
	}
	a.Us = float64(time.Since(begin).Nanoseconds()) / 1000
	s := status.Convert(err)
	a.Code, a.Message, a.Details = s.Code().String(), s.Message(), len(s.Proto().GetDetails())
	return a
}

func main() {
	var printing sync.Mutex
	say := func(a answer) {
		line, _ := json.Marshal(a)
		printing.Lock()
		defer printing.Unlock()
		fmt.Println(string(line))
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var c call
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			say(answer{Code: "line", Message: err.Error()})
		} else if c.Bench != nil {
			say(c.Bench.run(c))
		} else if c.Async {
			go func() { say(do(c)) }()
		} else {
			say(do(c))
		}
	}
}
