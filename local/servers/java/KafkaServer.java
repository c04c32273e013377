import java.io.File;
import java.io.FileInputStream;
import java.util.Properties;
import kafka.Kafka;
import kafka.tools.StorageTool;
import org.apache.kafka.common.Uuid;

/**
 * One node of Kafka in KRaft mode. It formats an empty data folder, and then starts. Arguments: server.properties, and
 * the cluster's id unless the node is a cluster of its own.
 */
public final class KafkaServer {
  public static void main(String[] args) throws Exception {
    StopWithParent.watch();
    Properties settings = new Properties();
    try (FileInputStream file = new FileInputStream(args[0])) {
      settings.load(file);
    }
    if (!new File(settings.getProperty("log.dirs"), "meta.properties").exists()) {
      String clusterId = args.length > 1 ? args[1] : Uuid.randomUuid().toString();
      String[] format = {"format", "--config", args[0], "--cluster-id", clusterId, "--ignore-formatted"};
      int code = StorageTool.execute(format, System.out);
      if (code != 0) System.exit(code);
    }
    Kafka.main(new String[] {args[0]});
  }
}
