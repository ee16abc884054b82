// A container runtime's side of NRI, without containers: what containerd and CRI-O embed (pkg/adaptation), driven by a test.
//
// Commands are JSON objects on standard input, one a line; each is answered by one on standard output. {"do": METHOD, "pod": {…},
// "container": {…}, "resources": {…}} calls the adaptation's METHOD ("RunPodSandbox", "CreateContainer" …), whatever calls this
// version of NRI makes of it; the objects are protobuf's JSON. Others are in `commands`. What happens by itself (a plugin was
// synchronised, a plugin asks for updates) is said as {"event": …}. The end of the input ends it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/containerd/nri/pkg/adaptation"
	"github.com/containerd/nri/pkg/api"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

type command struct {
	Do         string            `json:"do"`
	Pod        json.RawMessage   `json:"pod"`
	Container  json.RawMessage   `json:"container"`
	Resources  json.RawMessage   `json:"resources"`
	Pods       []json.RawMessage `json:"pods"`       // state
	Containers []json.RawMessage `json:"containers"` // state
	Count      int               `json:"count"`      // many, bench
	PerPod     int               `json:"per_pod"`    // many
	Bytes      int               `json:"bytes"`      // many: of each pod's annotation
}

type answer map[string]any

type runtime struct {
	sync.Mutex
	name, version, socket string
	adaptation            *adaptation.Adaptation
	pods                  []*api.PodSandbox
	containers            []*api.Container
	out                   sync.Mutex
}

var commands = map[string]func(*runtime, *command) (answer, error){
	"state":   (*runtime).setState, // what the next Synchronize tells: pods, containers
	"many":    (*runtime).makeMany, // the same, made up: count pods of per_pod containers, an annotation of so many bytes
	"restart": (*runtime).restart,  // as after a restart of the runtime: the connections end, the socket is made anew
	"stop":    (*runtime).stop,     // the connections end and the socket is gone
	"start":   (*runtime).start,
	"bench":   (*runtime).bench, // CreateContainer, count times
}

func (r *runtime) say(a answer) {
	r.out.Lock()
	defer r.out.Unlock()
	line, _ := json.Marshal(a)
	os.Stdout.Write(append(line, '\n'))
}

func words(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func load(raw json.RawMessage, message proto.Message) error {
	if raw == nil {
		return nil
	}
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(raw, message) // fields that this version does not have
}

func show(message any) json.RawMessage {
	m, ok := message.(proto.Message)
	if !ok || reflect.ValueOf(message).IsNil() {
		return nil
	}
	text, err := protojson.Marshal(m)
	if err != nil {
		return nil
	}
	return text
}

func (r *runtime) synchronize(ctx context.Context, plugin adaptation.SyncCB) error {
	r.Lock()
	pods, containers := r.pods, r.containers
	r.Unlock()
	begin := time.Now()
	updates, err := plugin(ctx, pods, containers)
	r.say(answer{"event": "synchronized", "us": time.Since(begin).Microseconds(), "updates": len(updates), "error": words(err)})
	return err
}

func (r *runtime) update(_ context.Context, updates []*adaptation.ContainerUpdate) ([]*adaptation.ContainerUpdate, error) {
	r.say(answer{"event": "update", "updates": len(updates)})
	return nil, nil
}

func (r *runtime) start(*command) (answer, error) {
	none := filepath.Join(filepath.Dir(r.socket), "none")
	var err error
	r.adaptation, err = adaptation.New(r.name, r.version, r.synchronize, r.update, adaptation.WithPluginPath(none),
		adaptation.WithPluginConfigPath(none), adaptation.WithSocketPath(r.socket))
	if err == nil {
		err = r.adaptation.Start()
	}
	return answer{}, err
}

func (r *runtime) stop(*command) (answer, error) {
	r.adaptation.Stop()
	os.Remove(r.socket)
	return answer{}, nil
}

func (r *runtime) restart(c *command) (answer, error) {
	r.stop(c)
	return r.start(c)
}

func (r *runtime) setState(c *command) (answer, error) {
	r.Lock()
	defer r.Unlock()
	r.pods, r.containers = nil, nil
	for _, raw := range c.Pods {
		r.pods = append(r.pods, &api.PodSandbox{})
		if err := load(raw, r.pods[len(r.pods)-1]); err != nil {
			return nil, err
		}
	}
	for _, raw := range c.Containers {
		r.containers = append(r.containers, &api.Container{})
		if err := load(raw, r.containers[len(r.containers)-1]); err != nil {
			return nil, err
		}
	}
	return answer{"pods": len(r.pods), "containers": len(r.containers)}, nil
}

func (r *runtime) makeMany(c *command) (answer, error) {
	r.Lock()
	defer r.Unlock()
	pod, container := &api.PodSandbox{}, &api.Container{}
	if err := load(c.Pod, pod); err != nil {
		return nil, err
	}
	if err := load(c.Container, container); err != nil {
		return nil, err
	}
	r.pods, r.containers = nil, nil
	for i := 0; i < c.Count; i++ {
		p := proto.Clone(pod).(*api.PodSandbox)
		p.Id, p.Name, p.Uid = fmt.Sprintf("pod%d", i), fmt.Sprintf("pod-%d", i), fmt.Sprintf("uid-%d", i)
		if c.Bytes > 0 {
			p.Annotations = map[string]string{"example.org/long": strings.Repeat("x", c.Bytes)}
		}
		r.pods = append(r.pods, p)
		for k := 0; k < c.PerPod; k++ {
			n := proto.Clone(container).(*api.Container)
			n.Id, n.PodSandboxId = fmt.Sprintf("container%d-%d", i, k), p.Id
			r.containers = append(r.containers, n)
		}
	}
	return answer{"pods": len(r.pods), "containers": len(r.containers)}, nil
}

// The method's own kind of request, filled as far as it has such fields: a StateChangeEvent up to NRI 0.11, one for each call since.
func (r *runtime) call(c *command, pod *api.PodSandbox, container *api.Container, resources *api.LinuxResources) (any, error) {
	method := reflect.ValueOf(r.adaptation).MethodByName(c.Do)
	if !method.IsValid() || method.Type().NumIn() != 2 {
		return nil, fmt.Errorf("%q: no such call in this NRI", c.Do)
	}
	request := reflect.New(method.Type().In(1).Elem())
	for name, value := range map[string]any{"Pod": pod, "Container": container, "LinuxResources": resources} {
		if field := request.Elem().FieldByName(name); field.IsValid() && !reflect.ValueOf(value).IsNil() {
			field.Set(reflect.ValueOf(value))
		}
	}
	results := method.Call([]reflect.Value{reflect.ValueOf(context.Background()), request})
	err, _ := results[len(results)-1].Interface().(error)
	if len(results) == 1 {
		return nil, err
	}
	return results[0].Interface(), err
}

func (r *runtime) event(c *command) (answer, error) {
	var pod *api.PodSandbox
	var container *api.Container
	var resources *api.LinuxResources
	if c.Pod != nil {
		pod = &api.PodSandbox{}
	}
	if c.Container != nil {
		container = &api.Container{}
	}
	if c.Resources != nil {
		resources = &api.LinuxResources{}
	}
	for _, e := range []error{load(c.Pod, pod), load(c.Container, container), load(c.Resources, resources)} {
		if e != nil {
			return nil, e
		}
	}
	begin := time.Now()
	response, err := r.call(c, pod, container, resources)
	return answer{"us": time.Since(begin).Microseconds(), "response": show(response)}, err
}

func (r *runtime) bench(c *command) (answer, error) {
	pod, container := &api.PodSandbox{}, &api.Container{}
	if err := load(c.Pod, pod); err != nil {
		return nil, err
	}
	if err := load(c.Container, container); err != nil {
		return nil, err
	}
	took := make([]time.Duration, 0, c.Count)
	adjusted := 0
	begin := time.Now()
	for i := 0; i < c.Count; i++ {
		one, its := proto.Clone(container).(*api.Container), proto.Clone(pod).(*api.PodSandbox)
		one.Id, its.Id = fmt.Sprintf("bench%d", i), fmt.Sprintf("bench-pod%d", i) // each in a pod of its own: the same again would be a second try
		one.PodSandboxId = its.Id
		at := time.Now()
		response, err := r.adaptation.CreateContainer(context.Background(), &api.CreateContainerRequest{Pod: its, Container: one})
		took = append(took, time.Since(at))
		if err != nil {
			return nil, err
		}
		if proto.Size(response.GetAdjust()) > 0 {
			adjusted++
		}
	}
	total := time.Since(begin)
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	at := func(share float64) float64 { return float64(took[int(share*float64(c.Count-1))].Nanoseconds()) / 1000 }
	return answer{"p50_us": at(.5), "p90_us": at(.9), "p99_us": at(.99), "max_us": at(1), "total_us": total.Microseconds(), "adjusted": adjusted}, nil
}

func main() {
	r := &runtime{}
	flag.StringVar(&r.name, "name", "containerd", "what it says it is")
	flag.StringVar(&r.version, "version", "v0.0.0", "and which")
	flag.StringVar(&r.socket, "socket", "", "where plugins connect")
	request := flag.Duration("request-timeout", 2*time.Second, "for one answer of a plugin")
	registration := flag.Duration("registration-timeout", 5*time.Second, "from connection to registration")
	flag.Parse()
	adaptation.SetPluginRequestTimeout(*request)
	adaptation.SetPluginRegistrationTimeout(*registration)
	if _, err := r.start(nil); err != nil {
		fmt.Fprintln(os.Stderr, "nri-runtime:", err)
		os.Exit(1)
	}
	r.say(answer{"event": "started", "socket": r.socket})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		c := &command{}
		err := json.Unmarshal(lines.Bytes(), c)
		var a answer
		if err == nil {
			if own, ok := commands[c.Do]; ok {
				a, err = own(r, c)
			} else {
				a, err = r.event(c)
			}
		}
		if a == nil {
			a = answer{}
		}
		a["do"], a["error"] = c.Do, words(err)
		r.say(a)
	}
	r.adaptation.Stop()
}
