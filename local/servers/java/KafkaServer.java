import java.io.File;
import java.io.FileInputStream;
import java.util.Properties;
import kafka.Kafka;
import kafka.tools.StorageTool;
import org.apache.kafka.common.Uuid;

/** Kafka in KRaft mode, one node: formats an empty data folder, then serves. Argument: server.properties. */
public final class KafkaServer {
  public static void main(String[] args) throws Exception {
    StopWithParent.watch();
    Properties settings = new Properties();
    try (FileInputStream file = new FileInputStream(args[0])) {
      settings.load(file);
    }
    if (!new File(settings.getProperty("log.dirs"), "meta.properties").exists()) {
      String[] format = {"format", "--config", args[0], "--cluster-id", Uuid.randomUuid().toString(), "--ignore-formatted"};
      int code = StorageTool.execute(format, System.out);
      if (code != 0) System.exit(code);
    }
    Kafka.main(new String[] {args[0]});
  }
}
