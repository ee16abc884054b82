/* recognise_rows.h - what pods and processes look like and what they are: the tables of test_recognise.c. Spark 3.1 to 4.3, the operators,
 * notebooks and servers, written after their sources (docs/executors.md); real pod objects are in test_recognise_pods.c. */
#pragma once

#define EXECUTOR_ENV                                                       \
	"env SPARK_DRIVER_URL=spark://CoarseGrainedScheduler@pi-driver-svc.team.svc:7078\n" \
	"env SPARK_EXECUTOR_CORES=2\nenv SPARK_EXECUTOR_MEMORY=1024m\nenv SPARK_APPLICATION_ID=spark-1\nenv SPARK_EXECUTOR_ID=7\n"
#define EXECUTOR_SHOWN " driver=spark://CoarseGrainedScheduler@pi-driver-svc.team.svc:7078 heap=1024M cores=2"
#define EXECUTOR_ARGS  "arg /opt/entrypoint.sh\narg executor\n"
#define LOCAL_DIRS(dirs) "label spark-role=executor\nname c\nenv SPARK_EXECUTOR_ID=1\nenv SPARK_LOCAL_DIRS=" dirs "\n"
#define EMPTY_DIR(at)	 "mount bind /var/lib/kubelet/pods/u/volumes/kubernetes.io~empty-dir/spark-local-dir-1 " at "\n"
#define JUPYTER	       "label app=jupyterhub\nlabel component=singleuser-server\nlabel hub.jupyter.org/username=bob\n"
#define ZEPPELIN       "label app=spark-abcd\nlabel interpreterGroupId=spark-shared_process\nlabel user=anonymous\n"

static const struct {
	const char *what, *pod, *want;
} pod_rows[] = {
	{"nothing", "", "none"},
	{"any pod", "label app=web\nname nginx\narg nginx\nenv PATH=/bin\n", "none"},
	{"a label that lies", "label spark-role=foreman\nname c\n", "none"},
	{"an annotation is no label", "annotation spark-role=executor\nname c\n", "none"},
	/* Apache Spark */
	{"executor, 3.3 and later",
	 "label spark-role=executor\nlabel spark-app-selector=spark-1\nlabel spark-app-name=pi\nlabel spark-exec-id=7\nlabel spark-version=3.5.9\n"
	 "name spark-kubernetes-executor\n" EXECUTOR_ARGS EXECUTOR_ENV "user 185\n",
	 "executor app=pi id=spark-1 exec=7 spark=3.5.9" EXECUTOR_SHOWN " uid=185"},
	{"executor, 3.1: no name, no version, but a pod's name and an image's tag",
	 "label spark-role=executor\nlabel spark-app-selector=spark-1\nlabel spark-exec-id=7\npod spark-pi-7f1a2b3c4d5e6f70-exec-7\n"
	 "image docker.io/apache/spark:3.1.1\nname spark-kubernetes-executor\n" EXECUTOR_ARGS EXECUTOR_ENV,
	 "executor app=spark-pi id=spark-1 exec=7 spark=3.1.1" EXECUTOR_SHOWN},
	{"driver, 3.2: the same",
	 "label spark-role=driver\nlabel spark-app-selector=spark-1\npod spark-pi-7f1a2b3c4d5e6f70-driver\nimage apache/spark-py:v3.2.4@sha256:00\n"
	 "name spark-kubernetes-driver\narg driver\narg --properties-file\narg /opt/spark/conf/spark.properties\narg --class\narg org.apache.spark.deploy.PythonRunner\n",
	 "driver app=spark-pi id=spark-1 spark=3.2.4 language=Python"},
	{"a container named by a pod template", "label spark-role=executor\nlabel spark-app-name=pi\nname worker-7\n" EXECUTOR_ENV,
	 "executor app=pi id=spark-1 exec=7" EXECUTOR_SHOWN},
	{"its sidecar", "label spark-role=executor\nlabel spark-app-name=pi\nlabel spark-exec-id=7\nname istio-proxy\narg proxy\nenv JDK_JAVA_OPTIONS=-Xmx9g\nlimit 128m\n",
	 "executor sidecar app=pi exec=7 limit=128M"},
	{"a sidecar from an image with Spark", "label spark-role=driver\nname init\nenv SPARK_HOME=/opt/spark\nenv SPARK_LOCAL_DIRS=/x\n", "driver sidecar"},
	{"a sidecar that is called as another role's container", "label spark-role=executor\nname notebook\n", "executor sidecar"},
	{"StatefulSet: no id yet", "label spark-role=executor\nlabel spark-exec-id=EXECID\nname spark-kubernetes-executor\nenv SPARK_EXECUTOR_ID=EXECID\n", "executor"},
	{"no labels at all, but Spark's environment", "name c\n" EXECUTOR_ENV, "executor id=spark-1 exec=7" EXECUTOR_SHOWN},
	{"no labels: a driver", "name c\nenv SPARK_DRIVER_BIND_ADDRESS=10.0.0.1\nenv SPARK_APPLICATION_ID=spark-1\n", "driver id=spark-1"},
	{"client mode: the driver is no service of Spark's",
	 "label spark-role=executor\nname spark-kubernetes-executor\nenv SPARK_DRIVER_URL=spark://CoarseGrainedScheduler@10.1.2.3:33475\nenv SPARK_EXECUTOR_MEMORY=2g\n",
	 "executor driver=spark://CoarseGrainedScheduler@10.1.2.3:33475 heap=2048M client-mode"},
	{"Scala driver", "label spark-role=driver\nname spark-kubernetes-driver\narg driver\narg --properties-file\narg /opt/spark/conf/spark.properties\n"
	 "arg --class\narg org.apache.spark.examples.SparkPi\narg local:///opt/x.jar\narg 100\nenv SPARK_DRIVER_BIND_ADDRESS=10.0.0.1\n",
	 "driver language=JVM"},
	{"R driver", "label spark-role=driver\nname spark-kubernetes-driver\narg driver\narg --class\narg org.apache.spark.deploy.RRunner\narg x.R\n", "driver language=R"},
	{"Connect in cluster mode", "label spark-role=driver\nname spark-kubernetes-driver\narg driver\narg --class\narg org.apache.spark.sql.connect.service.SparkConnectServer\n",
	 "connect-server"},
	/* memory */
	{"options of the JVM, the last one counts",
	 "label spark-role=executor\nname spark-kubernetes-executor\nenv SPARK_EXECUTOR_ID=1\nenv JAVA_TOOL_OPTIONS=-Xmx1g -XX:+ExitOnOutOfMemoryError\n"
	 "env JDK_JAVA_OPTIONS=\"-XX:OnOutOfMemoryError=kill -9 %p\" -Xmx2g\nenv SPARK_JAVA_OPT_0=-XX:-ExitOnOutOfMemoryError\n"
	 "env SPARK_JAVA_OPT_1=-Dspark.memory.offHeap.size=256m\nenv SPARK_JAVA_OPT_2=-XX:+CrashOnOutOfMemoryError\nenv SPARK_JAVA_OPT_3=-Dspark.decommission.enabled=true\n",
	 "executor exec=1 heap=2048M off-heap=256M crash-on-oom kill-on-oom decommission"},
	{"the command line is stronger", "name c\narg java\narg -Xmx3g\narg -XX:OnOutOfMemoryError=kill -KILL %p\narg org.apache.spark.executor.CoarseGrainedExecutorBackend\n"
	 "arg --executor-id\narg 5\narg --cores\narg 4\narg --app-id\narg app-1\nenv JDK_JAVA_OPTIONS=-Xmx1g\n",
	 "executor id=app-1 exec=5 heap=3072M cores=4 kill-on-oom"},
	{"_JAVA_OPTIONS is stronger still", "name c\narg java\narg -Xmx3g\narg org.apache.spark.executor.CoarseGrainedExecutorBackend\nenv _JAVA_OPTIONS=-Xmx1g\n", "executor heap=1024M"},
	{"a plain kill is SIGTERM", "name c\narg java\narg -XX:OnOutOfMemoryError=kill %p\narg org.apache.spark.executor.CoarseGrainedExecutorBackend\n", "executor"},
	{"options behind the class are the application's", "name c\narg java\narg -Xmx1g\narg org.apache.spark.executor.CoarseGrainedExecutorBackend\narg -Xmx9g\n", "executor heap=1024M"},
	{"sizes that are none", "name c\narg java\narg -Xmx\narg -Xmx1x\narg -Xmx99999999999999999999\narg -Xmx999999999999999999t\narg org.apache.spark.executor.CoarseGrainedExecutorBackend\n", "executor"},
	{"Python's own limit", "label spark-role=executor\nname c\n" "env SPARK_EXECUTOR_ID=1\nenv PYSPARK_EXECUTOR_MEMORY_MB=512\n", "executor exec=1 language=Python python=512M pyspark-memory"},
	{"a Python is named", "label spark-role=executor\nname c\nenv SPARK_EXECUTOR_ID=1\nenv PYSPARK_PYTHON=/usr/bin/python3\n", "executor exec=1 language=Python"},
	{"or not", "label spark-role=executor\nname c\nenv SPARK_EXECUTOR_ID=1\nenv PYSPARK_PYTHON=\n", "executor exec=1"},
	/* scratch */
	{"local dirs", LOCAL_DIRS("/data1,/data2") "mount bind /mnt/disk /data1\n", "executor exec=1"},
	{"in memory", LOCAL_DIRS("/data") "mount tmpfs tmpfs /data\n", "executor exec=1 tmpfs"},
	{"all in memory", LOCAL_DIRS("/a,/b") "mount tmpfs tmpfs /a\nmount bind /dev/shm/b /b\n", "executor exec=1 tmpfs"},
	{"one in memory, one on a disk", LOCAL_DIRS("/a,/b") "mount tmpfs tmpfs /a\nmount bind /mnt/disk /b\n", "executor exec=1"},
	{"one in memory, one who knows where", LOCAL_DIRS("/b,/a") "mount tmpfs tmpfs /a\n", "executor exec=1"},
	{"one in memory, one in an emptyDir", LOCAL_DIRS("/a,/data") "mount tmpfs tmpfs /a\n" EMPTY_DIR("/data"), "executor exec=1 empty-dir"},
	{"one in an emptyDir, one who knows where", LOCAL_DIRS("/a,/data") EMPTY_DIR("/data"), "executor exec=1 empty-dir"},
	{"what is no path", LOCAL_DIRS("/a,,a") "mount tmpfs tmpfs /a\n", "executor exec=1"},
	{"as many as are looked at", LOCAL_DIRS("/a,/a,/a,/a,/a,/a,/a,/a,/a,/a,/a,/a,/a,/a,/a,/a") "mount tmpfs tmpfs /a\n", "executor exec=1 tmpfs"},
	{"and one more", LOCAL_DIRS("/a,/a,/a,/a,/a,/a,/a,/a,/a,/a,/a,/a,/a,/a,/a,/a,/a") "mount tmpfs tmpfs /a\n", "executor exec=1"},
	{"a standalone worker's word comes first", LOCAL_DIRS("/b") "env SPARK_EXECUTOR_DIRS=/a\nmount tmpfs tmpfs /a\n", "executor exec=1 tmpfs"},
	{"a neighbour's are not the executor's", "label spark-role=executor\nname c\nenv SPARK_LOCAL_DIRS=/a\nmount tmpfs tmpfs /a\n", "executor sidecar"},
	{"in an emptyDir", LOCAL_DIRS("/data") EMPTY_DIR("/data"), "executor exec=1 empty-dir"},
	{"injected before", "label spark-role=executor\nname c\nenv SPARK_EXECUTOR_ID=1\nmount tmpfs stoker-scratch /s 67108864\nmount tmpfs stoker-scratch /t 1048576\n"
	 "mount tmpfs tmpfs /u 1048576\nmount bind stoker-scratch /v 1048576\nmount tmpfs stoker-scratch /w 1k\n", "executor exec=1 injected=65M"},
	{"another mount in memory", LOCAL_DIRS("/data") "mount tmpfs tmpfs /dev/shm\n", "executor exec=1"},
	{"decommissioning, as CRI-O passes it on",
	 "label spark-role=executor\nname c\nenv SPARK_EXECUTOR_ID=1\ncontainer-annotation io.kubernetes.container.preStopHandler={\"exec\":{\"command\":[\"/opt/decom.sh\"]}}\n",
	 "executor exec=1 decommission"},
	/* kubeflow's operator */
	{"kubeflow: executor", "label spark-role=executor\nlabel sparkoperator.k8s.io/app-name=etl\nlabel sparkoperator.k8s.io/submission-id=x\nname spark-kubernetes-executor\n",
	 "executor app=etl operator=kubeflow"},
	{"kubeflow: Spark's own name is first", "label spark-role=driver\nlabel sparkoperator.k8s.io/app-name=etl\nlabel spark-app-name=etl-2026\nname spark-kubernetes-driver\n",
	 "driver app=etl-2026 operator=kubeflow"},
	{"kubeflow: Connect server", "label spark-role=connect-server\nlabel sparkoperator.k8s.io/connect-name=c1\nlabel spark-version=4.0.0\nname spark-kubernetes-driver\n",
	 "connect-server app=c1 spark=4.0.0 connect=c1 operator=kubeflow"},
	{"kubeflow: its executor",
	 "label spark-role=executor\nlabel sparkoperator.k8s.io/connect-name=c1\nlabel sparkoperator.k8s.io/launched-by-spark-operator=true\nlabel spark-exec-id=2\nname spark-kubernetes-executor\n",
	 "executor app=c1 exec=2 connect=c1 operator=kubeflow"},
	{"kubeflow: any key of its own", "label spark-role=executor\nlabel sparkoperator.k8s.io/launched-by-spark-operator=true\nname spark-kubernetes-executor\n",
	 "executor operator=kubeflow"},
	/* Apache's operator */
	{"apache: executor", "label spark-role=executor\nlabel spark.operator/name=spark-kubernetes-operator\nlabel spark.operator/spark-app-name=pi\nname spark-kubernetes-executor\n",
	 "executor app=pi operator=apache"},
	{"apache: SparkCluster's master", "label spark-role=master\nlabel spark.operator/spark-cluster-name=c\nlabel spark-version=4.0.1\nname master\nenv SPARK_MASTER_OPTS=-Dx=y\n",
	 "standalone-master app=c spark=4.0.1 operator=apache"},
	{"apache: its worker", "label spark-role=worker\nlabel spark.operator/spark-cluster-name=c\nname worker\narg /opt/spark/sbin/start-worker.sh\narg spark://c-master-svc:7077\n",
	 "standalone-worker app=c operator=apache"},
	{"apache: a worker without its script", "label spark-role=worker\nlabel spark.operator/spark-cluster-name=c\nname worker\n", "standalone-worker app=c operator=apache"},
	{"apache: any key of its own", "label spark-role=executor\nlabel spark.operator/name=spark-kubernetes-operator\nname spark-kubernetes-executor\n", "executor operator=apache"},
	{"standalone without any operator", "name w\narg sh\narg -c\narg exec /opt/spark/sbin/start-worker.sh spark://m:7077\n", "standalone-worker"},
	{"the same, 3.0", "name w\narg /opt/spark/sbin/start-slave.sh\narg spark://m:7077\n", "standalone-worker"},
	{"its master", "name m\narg /opt/spark/sbin/start-master.sh\n", "standalone-master"},
	{"the worker's class", "name w\narg /opt/spark/bin/spark-class\narg org.apache.spark.deploy.worker.Worker\narg spark://m:7077\n", "standalone-worker"},
	{"the master's class", "name m\narg /opt/spark/bin/spark-class\narg org.apache.spark.deploy.master.Master\n", "standalone-master"},
	/* client-mode drivers */
	{"Jupyter with Spark in its image", JUPYTER "name notebook\nimage quay.io/jupyter/pyspark-notebook:latest\narg start-singleuser.sh\n", "client-driver"},
	{"Jupyter with Spark's environment", JUPYTER "name notebook\nimage x\nenv SPARK_HOME=/usr/local/spark\n", "client-driver"},
	{"Jupyter without Spark", JUPYTER "name notebook\nimage quay.io/jupyter/minimal-notebook\n", "none"},
	{"its sidecar", JUPYTER "name block-cloud-metadata\nimage k8s-network-tools\n", "none"},
	{"Zeppelin's Spark", ZEPPELIN "label interpreterSettingName=spark\nname spark\narg sh\narg -c\narg /opt/zeppelin/bin/interpreter.sh -d /opt/zeppelin/interpreter/spark\n",
	 "client-driver"},
	{"its init container", ZEPPELIN "label interpreterSettingName=spark\nname init-spark-home\narg sh\narg -c\narg cp -r /opt/spark/* /spark/\n", "client-driver sidecar"},
	{"Zeppelin's Markdown", ZEPPELIN "label interpreterSettingName=md\nname md\n", "none"},
	{"Spark Connect in a StatefulSet", "label app=my-connect\nname server\narg /bin/bash\narg -c\narg /opt/spark/sbin/start-connect-server.sh --packages a:b:c && tail -f /dev/null\n",
	 "connect-server"},
	{"Spark Connect by its class", "name server\narg /opt/spark/bin/spark-submit\narg --class\narg org.apache.spark.sql.connect.service.SparkConnectServer\narg --name\narg Connect here\n",
	 "connect-server app=Connect here"},
	{"Thrift server", "name t\narg /opt/spark/sbin/start-thriftserver.sh\n", "client-driver language=JVM"},
	{"Thrift server by its class", "name t\narg /opt/spark/bin/spark-submit\narg --class\narg org.apache.spark.sql.hive.thriftserver.HiveThriftServer2\narg spark-internal\n",
	 "client-driver language=JVM"},
	{"spark-submit in client mode", "name t\narg /opt/entrypoint.sh\narg spark-submit\narg --master\narg k8s://x\narg --conf\narg spark.app.name=nightly\narg job.py\n",
	 "client-driver app=nightly language=Python"},
	{"an option's value is no application", "name t\narg /opt/spark/bin/spark-submit\narg --jars\narg a.jar\narg job.py\n", "client-driver language=Python"},
	{"spark-submit in cluster mode is no driver", "name t\narg /opt/spark/bin/spark-submit\narg --deploy-mode\narg cluster\narg job.py\n", "none"},
	{"the same in one word", "name t\narg /opt/spark/bin/spark-submit\narg --deploy-mode=cluster\narg job.py\n", "none"},
	{"pyspark", "name t\narg pyspark\n", "client-driver language=Python"},
	{"Scala's shell", "name t\narg /opt/spark/bin/spark-shell\n", "client-driver language=JVM"},
	{"SQL's", "name t\narg /opt/entrypoint.sh\narg spark-sql\n", "client-driver language=JVM"},
	{"R's", "name t\narg /opt/spark/bin/sparkR\n", "client-driver language=R"},
	{"an argument of that name", "name t\narg apt-get\narg install\narg spark-shell\narg spark-sql\narg sparkR\narg spark-submit\n", "none"},
	{"only its name", "name t\narg pip\narg install\narg pyspark\n", "none"},
	{"history server", "name t\narg /opt/spark/sbin/start-history-server.sh\nenv SPARK_HOME=/opt/spark\n", "none"},
	{"Spark's image, something else in it", "name t\narg sleep\narg 1000\nenv SPARK_HOME=/opt/spark\n", "none"},
	/* schedulers, queues, others */
	{"Volcano", "label spark-role=executor\nname spark-kubernetes-executor\nannotation scheduling.k8s.io/group-name=spark-pi-pg\nannotation scheduling.volcano.sh/queue-name=q1\n",
	 "executor queue=q1 scheduler=volcano"},
	{"Volcano, the other key", "label spark-role=executor\nname spark-kubernetes-executor\nannotation volcano.sh/queue-name=q2\n", "executor queue=q2 scheduler=volcano"},
	{"Volcano without a queue", "label spark-role=executor\nname spark-kubernetes-executor\nannotation volcano.sh/preemptable=true\n", "executor scheduler=volcano"},
	{"Volcano's group alone", "label spark-role=executor\nname spark-kubernetes-executor\nannotation scheduling.k8s.io/group-name=spark-pi-pg\n", "executor scheduler=volcano"},
	{"any key of its scheduling", "label spark-role=executor\nname spark-kubernetes-executor\nannotation scheduling.volcano.sh/x=y\n", "executor scheduler=volcano"},
	{"YuniKorn", "label spark-role=executor\nname spark-kubernetes-executor\nlabel applicationId=spark-1\nlabel queue=root.q\n", "executor queue=root.q scheduler=yunikorn"},
	{"YuniKorn by annotation", "label spark-role=executor\nname spark-kubernetes-executor\nannotation yunikorn.apache.org/task-group-name=spark-executor\nlabel yunikorn.apache.org/queue=root.r\n",
	 "executor queue=root.r scheduler=yunikorn"},
	{"YuniKorn without a queue", "label spark-role=executor\nname spark-kubernetes-executor\nannotation yunikorn.apache.org/task-group-name=spark-executor\n",
	 "executor scheduler=yunikorn"},
	{"a queue of somebody else", "label spark-role=executor\nname spark-kubernetes-executor\nlabel queue=x\n", "executor"},
	{"Kueue", "label spark-role=executor\nname spark-kubernetes-executor\nlabel kueue.x-k8s.io/queue-name=lq\n", "executor queue=lq scheduler=kueue"},
	{"Run:ai", "label spark-role=executor\nname spark-kubernetes-executor\nlabel runai/queue=q\n", "executor queue=q scheduler=runai"},
	{"EMR on EKS", "label spark-role=executor\nname spark-kubernetes-executor\nlabel emr-containers.amazonaws.com/job.id=0001\n", "executor operator=emr"},
	{"EMR's subscription", "label spark-role=executor\nname spark-kubernetes-executor\nannotation eks-subscription.amazonaws.com/emr.internal.id=1\n", "executor operator=emr"},
	{"Kyuubi", "label spark-role=driver\nname spark-kubernetes-driver\nlabel kyuubi-unique-tag=0001\n", "driver operator=kyuubi"},
	/* foreign text */
	{"control characters", "label spark-role=executor\nname spark-kubernetes-executor\nlabel spark-app-name=a\x1b[31m\tb\n", "executor app=a?[31m?b"},
	{"an app's name that is no hash", "label spark-role=driver\nname spark-kubernetes-driver\npod -driver\n", "driver"},
	{"nor a number", "label spark-role=executor\nname spark-kubernetes-executor\npod a-exec-x\n", "executor"},
	{"a tag that is no version", "label spark-role=executor\nname spark-kubernetes-executor\nimage apache/spark:latest\n", "executor"},
	{"another image's version", "label spark-role=executor\nname spark-kubernetes-executor\nimage acme/spark-jobs:3.1.1\n", "executor"},
};

#define BACKEND "org.apache.spark.executor.CoarseGrainedExecutorBackend"

static const struct {
	const char *what;
	const char *lines[4]; /* of the processes of one container, '|' between arguments */
	const char *want;
} process_rows[] = {
	{"any process", {"/usr/sbin/nginx|-g|daemon off;|"}, "none"},
	{"nothing", {""}, "none"},
	{"executor of local-cluster, 4.3",
	 {"/usr/lib/jvm/java-17-openjdk-amd64/bin/java|-cp|/venv/lib/python3.11/site-packages/pyspark/conf:/venv/lib/python3.11/site-packages/pyspark/jars/*|-Xmx1024M|"
	  "-Dspark.driver.port=45381|-XX:+IgnoreUnrecognizedVMOptions|" BACKEND "|--driver-url|spark://CoarseGrainedScheduler@127.0.0.1:45381|--executor-id|0|"
	  "--hostname|127.0.0.1|--cores|1|--app-id|app-20261121080156-0000|--resourceProfileId|0|"},
	 "executor id=app-20261121080156-0000 exec=0 driver=spark://CoarseGrainedScheduler@127.0.0.1:45381 heap=1024M cores=1 client-mode"},
	{"a pod's: tini, the executor, Python's daemon and worker",
	 {"/usr/bin/tini|-s|--|/opt/java/bin/java|-Xms512m|-Xmx512m|-cp|/opt/spark/jars/*|org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend|"
	  "--driver-url|spark://CoarseGrainedScheduler@pi-driver-svc.ns.svc:7078|--executor-id|3|--cores|1|--app-id|spark-1|--podName|pi-b6caeaa1fd20536d-exec-3|",
	  "/opt/java/bin/java|-Xms512m|-Xmx512m|-cp|/opt/spark/jars/*|org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend|--driver-url|x|",
	  "/opt/venv/bin/python|-m|pyspark.daemon|pyspark.worker|", "/opt/venv/bin/python|-m|pyspark.daemon|pyspark.worker|"},
	 "executor app=pi id=spark-1 exec=3 language=Python driver=spark://CoarseGrainedScheduler@pi-driver-svc.ns.svc:7078 heap=512M cores=1"},
	{"3.1's class", {"java|-Xmx1g|" BACKEND "|--executor-id|1|"}, "executor exec=1 heap=1024M"},
	{"R's daemon", {"java|" BACKEND "|--executor-id|1|", "/usr/lib/R/bin/exec/R|--no-echo|--no-restore|--vanilla|--file=/opt/spark/R/lib/SparkR/worker/daemon.R|"},
	 "executor exec=1 language=R"},
	{"driver in cluster mode",
	 {"/opt/java/bin/java|-cp|/opt/spark/conf/:/opt/spark/jars/*|-Xmx1g|org.apache.spark.deploy.SparkSubmit|--conf|spark.driver.bindAddress=10.0.0.4|--deploy-mode|client|"
	  "--properties-file|/opt/spark/conf/spark.properties|--class|org.apache.spark.deploy.PythonRunner|local:///opt/pi.py|100|"},
	 "driver language=Python heap=1024M"},
	{"driver of a notebook",
	 {"/opt/conda/bin/python|-m|ipykernel_launcher|-f|k.json|",
	  "/usr/lib/jvm/java-17/bin/java|-cp|/usr/local/spark/conf/:/usr/local/spark/jars/*|-Xmx1g|org.apache.spark.deploy.SparkSubmit|--conf|spark.app.name=pyspark-shell|pyspark-shell|"},
	 "client-driver app=pyspark-shell language=Python heap=1024M"},
	{"the same, its older name", {"java|-Xmx1g|org.apache.spark.deploy.SparkSubmit|pyspark-shell-main|"}, "client-driver language=Python heap=1024M"},
	{"R's shell", {"java|-Xmx1g|org.apache.spark.deploy.SparkSubmit|sparkr-shell|"}, "client-driver language=R heap=1024M"},
	{"Scala's shell", {"java|-Xmx1g|org.apache.spark.repl.Main|"}, "client-driver language=JVM heap=1024M"},
	{"Connect server",
	 {"java|-Xmx2g|org.apache.spark.deploy.SparkSubmit|--class|org.apache.spark.sql.connect.service.SparkConnectServer|--name|Spark Connect server|spark-internal|"},
	 "connect-server app=Spark Connect server heap=2048M"},
	{"Zeppelin's interpreter",
	 {"java|-Xmx1g|org.apache.spark.deploy.SparkSubmit|--master|k8s://https://kubernetes.default.svc|--class|org.apache.zeppelin.interpreter.remote.RemoteInterpreterServer|x.jar|"},
	 "client-driver language=JVM heap=1024M"},
	{"a submitter", {"java|org.apache.spark.deploy.SparkSubmit|--master|k8s://x|--deploy-mode|cluster|--class|A|x.jar|"}, "none"},
	{"standalone worker and its executors",
	 {"java|-Xmx1g|org.apache.spark.deploy.worker.Worker|spark://m:7077|",
	  "java|-Xmx4g|" BACKEND "|--driver-url|spark://CoarseGrainedScheduler@10.0.0.9:1|--executor-id|0|--worker-url|spark://Worker@10.0.0.1:2|"},
	 "standalone-worker"},
	{"the same, the executor first", {"java|-Xmx4g|" BACKEND "|--executor-id|0|--worker-url|spark://Worker@10.0.0.1:2|", "java|org.apache.spark.deploy.worker.Worker|"},
	 "standalone-worker"},
	{"a shell that talks of it", {"grep|-r|pyspark|/opt|", "vi|/opt/spark/bin/pyspark.txt|"}, "none"},
	{"cut in the middle", {"java|-Xmx1g|" BACKEND "|--driver-url"}, "executor heap=1024M"},
};
