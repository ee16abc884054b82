package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/status"
)

// bench: publish, stats, unpublish of one volume after the other, as one kubelet's calls would come; microseconds of each.
type bench struct {
	Kubelet string            `json:"kubelet"` // its root; the pods' directories are made, and removed after the last step
	Count   int               `json:"count"`
	Steps   []int             `json:"steps"` // 0 publish, 1 stats, 2 unpublish
	Context map[string]string `json:"context"`
}

func (b *bench) run(c call) answer {
	a := answer{ID: c.ID, Samples: [][]float64{{}, {}, {}}}
	connection, err := dial(c.Endpoint, false)
	if err != nil {
		return answer{ID: c.ID, Code: "dial", Message: err.Error()}
	}
	node := csi.NewNodeClient(connection)
	for i := 0; i < b.Count && err == nil; i++ {
		uid := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		parent := filepath.Join(b.Kubelet, "pods", uid, "volumes", "kubernetes.io~csi", "scratch")
		id := fmt.Sprintf("csi-%x", sha256.Sum256([]byte(uid+"scratch")))
		if err = os.MkdirAll(parent, 0o750); err != nil {
			break
		}
		err = b.one(node, &a, uid, id, filepath.Join(parent, "mount"))
		if b.Steps[len(b.Steps)-1] == 2 {
			os.RemoveAll(filepath.Join(b.Kubelet, "pods", uid))
		}
	}
	s := status.Convert(err)
	a.Code, a.Message = s.Code().String(), s.Message()
	return a
}

func (b *bench) one(node csi.NodeClient, a *answer, uid, id, target string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	volume := map[string]string{"csi.storage.k8s.io/pod.name": "bench", "csi.storage.k8s.io/pod.namespace": "default", "csi.storage.k8s.io/pod.uid": uid,
		"csi.storage.k8s.io/ephemeral": "true", "csi.storage.k8s.io/serviceAccount.name": "default"}
	for key, value := range b.Context {
		volume[key] = value
	}
	capability := &csi.VolumeCapability{AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{}},
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER}}
	calls := []func() error{
		func() error {
			_, err := node.NodePublishVolume(ctx, &csi.NodePublishVolumeRequest{VolumeId: id, TargetPath: target, VolumeCapability: capability, VolumeContext: volume})
			return err
		},
		func() error {
			_, err := node.NodeGetVolumeStats(ctx, &csi.NodeGetVolumeStatsRequest{VolumeId: id, VolumePath: target})
			return err
		},
		func() error {
			_, err := node.NodeUnpublishVolume(ctx, &csi.NodeUnpublishVolumeRequest{VolumeId: id, TargetPath: target})
			return err
		},
	}
	for _, i := range b.Steps {
		begin := time.Now()
		if err := calls[i](); err != nil {
			return err
		}
		a.Samples[i] = append(a.Samples[i], float64(time.Since(begin).Nanoseconds())/1000)
	}
	return nil
}
